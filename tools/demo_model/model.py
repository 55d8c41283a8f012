# SPDX-License-Identifier: Apache-2.0
"""A llama-architecture language model in plain torch, made for lessons that share prefixes."""
from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    name: str
    layers: int
    width: int
    heads: int
    hidden: int
    context: int = 512
    rope_base: float = 10000.0
    epsilon: float = 1e-5

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    def describe(self) -> dict:
        return asdict(self)


class Norm(nn.Module):
    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.weight


def rotate(x: Tensor, positions: Tensor, base: float) -> Tensor:
    """Rotary positions on neighbouring pairs, as llama.cpp applies them to this architecture."""
    half = x.shape[-1] // 2
    frequency = base ** (-torch.arange(half, dtype=torch.float32) / half)
    angle = positions[:, None, :, None].float() * frequency
    cos, sin = angle.cos(), angle.sin()
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


class Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        w, h = shape.width, shape.hidden
        self.shape = shape
        self.attn_norm = Norm(w, shape.epsilon)
        self.attn_q = nn.Linear(w, w, bias=False)
        self.attn_k = nn.Linear(w, w, bias=False)
        self.attn_v = nn.Linear(w, w, bias=False)
        self.attn_output = nn.Linear(w, w, bias=False)
        self.ffn_norm = Norm(w, shape.epsilon)
        self.ffn_gate = nn.Linear(w, h, bias=False)
        self.ffn_up = nn.Linear(w, h, bias=False)
        self.ffn_down = nn.Linear(h, w, bias=False)

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], x.shape[1], self.shape.heads, self.shape.head_width).transpose(1, 2)

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor,
                past: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        n = self.attn_norm(x)
        q = rotate(self._heads(self.attn_q(n)), positions, self.shape.rope_base)
        k = rotate(self._heads(self.attn_k(n)), positions, self.shape.rope_base)
        v = self._heads(self.attn_v(n))
        own = (k, v)
        if past is not None:
            k, v = torch.cat((past[0], k), 2), torch.cat((past[1], v), 2)
        weights = q @ k.transpose(-1, -2) * self.shape.head_width ** -0.5 + mask[:, None]
        mixed = (weights.softmax(-1) @ v).transpose(1, 2).flatten(-2)
        x = x + self.attn_output(mixed)
        n = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(n)) * self.ffn_up(n)), own


class Model(nn.Module):
    """`twin[i]` names the piece that equals piece i without its leading space (itself if there is none)."""

    def __init__(self, shape: Shape, twin: Tensor, spaced: Tensor) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("twin", twin)
        self.register_buffer("spaced", spaced.float()[:, None])
        self.base = nn.Parameter(torch.randn(len(twin), shape.width) * 0.05)
        self.space = nn.Parameter(torch.randn(shape.width) * 0.05)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.output_norm = Norm(shape.width, shape.epsilon)
        for name, weight in self.named_parameters():
            if weight.dim() == 2 and name != "base":
                deep = name.endswith(("attn_output.weight", "ffn_down.weight"))
                nn.init.normal_(weight, std=0.05 / ((2 * shape.layers) ** 0.5 if deep else 1))

    def embedding(self) -> Tensor:
        """Input and output embedding: a spaced piece is its twin plus one shared direction."""
        return self.base[self.twin] + self.spaced * self.space

    def forward(self, ids: Tensor, positions: Tensor, mask: Tensor, past: list | None = None,
                embedding: Tensor | None = None) -> tuple[Tensor, list]:
        """Hidden states before the output embedding, and the keys and values of `ids`."""
        table = self.embedding() if embedding is None else embedding
        x = F.embedding(ids, table)
        kept = []
        for number, block in enumerate(self.blocks):
            x, own = block(x, positions, mask, past[number] if past else None)
            kept.append(own)
        return self.output_norm(x), kept


def parameters(model: Model) -> int:
    blocks = sum(p.numel() for p in model.blocks.parameters())
    return blocks + model.shape.width * (len(model.twin) + 1)
