# SPDX-License-Identifier: Apache-2.0
"""A trained model as a GGUF file, written with the gguf-py of the llama.cpp sources."""
from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from model import Model
from tokenizer import CONTROL_PIECES, Tokenizer

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def use_gguf_py(llama_cpp: Path) -> None:
    sys.path.insert(0, str(llama_cpp / "gguf-py"))


def write(path: Path, model: Model, tokenizer: Tokenizer) -> None:
    """REQUIRES: use_gguf_py was called."""
    import gguf

    shape = model.shape
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name(f"promptsweep-demo-{shape.name}")
    writer.add_description("A toy for demonstrations of promptsweep; see models/README.md")
    writer.add_license("apache-2.0")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_vocab_size(len(tokenizer.pieces))
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)

    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokenizer.pieces)
    writer.add_token_types([gguf.TokenType.CONTROL if p in CONTROL_PIECES else gguf.TokenType.NORMAL
                            for p in tokenizer.pieces])
    writer.add_token_merges([" ".join(pair) for pair in tokenizer.merges])
    writer.add_eos_token_id(tokenizer.end)
    writer.add_eot_token_id(tokenizer.end)
    writer.add_pad_token_id(tokenizer.end)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)

    def matrix(name: str, tensor) -> None:
        writer.add_tensor(name, tensor.detach().numpy().astype(np.float16))

    def vector(name: str, tensor) -> None:
        writer.add_tensor(name, tensor.detach().numpy().astype(np.float32))

    # Input and output embedding are one table: without output.weight llama.cpp ties them.
    matrix("token_embd.weight", model.embedding())
    vector("output_norm.weight", model.output_norm.weight)
    for number, block in enumerate(model.blocks):
        prefix = f"blk.{number}."
        vector(prefix + "attn_norm.weight", block.attn_norm.weight)
        vector(prefix + "ffn_norm.weight", block.ffn_norm.weight)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
            matrix(f"{prefix}{name}.weight", getattr(block, name).weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
