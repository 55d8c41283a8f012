#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The emulated Ollama and OpenAI-compatible servers do what the protocols say."""
import concurrent.futures
import http.client
import json
import pathlib
import socket
import subprocess
import sys
import time
import unittest

from emulator_process import Emulator, send

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else "promptsweep-emulator"
QUESTION = [{"role": "user", "content": "one two three"}]


def chat(**more):
    return {"model": "m", "messages": QUESTION, "stream": False, "options": {"temperature": 0}, **more}


class Ollama(unittest.TestCase):
    def test_models_and_errors(self):
        with Emulator(PROGRAM, "ollama", "--model", "m") as e:
            self.assertEqual(e.send("/").body, b"Ollama is running")
            model = e.send("/api/tags").json()["models"][0]
            self.assertEqual(model["name"], "m:latest")
            self.assertRegex(model["digest"], "^[0-9a-f]{64}$")
            self.assertEqual(e.post("/api/show", {"model": "x"}).status, 404)
            self.assertEqual(e.post("/api/show", {}).json(), {"error": "model is required"})
            missing = e.post("/api/chat", {**chat(), "model": "x"})
            self.assertEqual((missing.status, missing.json()), (404, {"error": "model 'x' not found"}))
            self.assertEqual(e.post("/api/chat", b"").json(), {"error": "missing request body"})
            self.assertEqual(e.send("/api/nothing").body, b"404 page not found")
            self.assertEqual(e.send("/api/chat").status, 405)
            foreign = e.send("/api/tags", headers={"Host": "example.com"})
            self.assertEqual((foreign.status, foreign.body), (403, b""))
            wrong = e.post("/api/chat", chat(options={"num_ctx": "big"}))
            self.assertEqual(wrong.status, 500)
            self.assertIn('option "num_ctx" must be of type integer', wrong.json()["error"])
            self.assertIn("does not support thinking", e.post("/api/chat", chat(think=True)).json()["error"])
            self.assertEqual(e.counts()["unknown_routes"], {"GET /api/nothing": 1, "GET /api/chat": 1})

    def test_stream_is_the_default_and_says_the_same(self):
        with Emulator(PROGRAM, "ollama", "--model", "m") as e:
            whole = e.post("/api/chat", chat()).json()
            request = chat()
            del request["stream"]
            answer = e.post("/api/chat", request)
            lines = answer.lines()
            self.assertEqual(answer.headers["Content-Type"], "application/x-ndjson")
            self.assertEqual("".join(l["message"]["content"] for l in lines), whole["message"]["content"])
            self.assertEqual([l["done"] for l in lines], [False] * (len(lines) - 1) + [True])
            for name in ("done_reason", "prompt_eval_count", "eval_count"):
                self.assertEqual(lines[-1][name], whole[name])
            counts = e.counts()["answers"]
            self.assertEqual((counts["given"], counts["distinct"], counts["repeated"]), (2, 1, 1))

    def test_zero_metrics_are_left_out(self):
        with Emulator(PROGRAM, "ollama", "--model", "m") as e:
            answer = e.post("/api/chat", chat(options={"num_predict": 0})).json()
            self.assertNotIn("eval_count", answer)
            self.assertEqual((answer["done_reason"], answer["message"]["content"]), ("length", ""))

    def test_load_reload_unload(self):
        with Emulator(PROGRAM, "ollama", "--model", "m") as e:
            load = e.post("/api/chat", {"model": "m", "messages": []}).json()
            self.assertEqual((load["done"], load["done_reason"]), (True, "load"))
            e.post("/api/chat", chat())
            self.assertEqual(e.counts()["reloads"], 0)
            e.post("/api/chat", chat(options={"num_ctx": 1024}))
            e.post("/api/chat", chat(options={"num_ctx": 1024, "num_predict": 3, "no_such_option": 1}))
            self.assertEqual(e.send("/api/ps").json()["models"][0]["context_length"], 1024)
            counts = e.counts()
            self.assertEqual((counts["loads"], counts["reloads"]), (1, 1))
            unload = e.post("/api/generate", {"model": "m", "keep_alive": 0}).json()
            self.assertEqual(unload["done_reason"], "unload")
            self.assertEqual(e.send("/api/ps").json(), {"models": []})
            e.post("/api/chat", chat(keep_alive="0s"))
            self.assertEqual(e.send("/api/ps").json(), {"models": []})

    def test_prompts_longer_than_the_context(self):
        long = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "old " * 50},
                {"role": "user", "content": "new " * 50}]
        with Emulator(PROGRAM, "ollama", "--model", "m") as e:
            def ask(messages, **more):
                return e.post("/api/chat", chat(messages=messages, options={"num_ctx": 80}, **more))
            self.assertEqual(ask(long).json()["prompt_eval_count"], 52)  # without the old message
            single = [{"role": "user", "content": "word " * 200}]
            self.assertEqual(ask(single).json()["prompt_eval_count"], 80)  # clamped
            refused = ask(single, truncate=False, shift=False)
            self.assertEqual(refused.status, 400)
            self.assertIn("longer than the context length", refused.json()["error"])
            self.assertEqual(e.counts()["truncated_prompts"], 2)

    def test_slots_wait_without_bound_and_loads_wait_in_a_bounded_queue(self):
        with Emulator(PROGRAM, "ollama", "--model", "m", "--parallel", "2", "--latency-ms", "20",
                      "--max-queue", "2", "--load-ms", "300") as e:
            with concurrent.futures.ThreadPoolExecutor(6) as pool:
                replies = list(pool.map(lambda _: e.post("/api/chat", chat()), range(6)))
                busy = [r for r in replies if r.status == 503]
                self.assertEqual(len(busy), 4)
                self.assertEqual(busy[0].json()["error"],
                                 "server busy, please try again.  maximum pending requests exceeded")
                begin = time.monotonic()
                replies = list(pool.map(lambda _: e.post("/api/chat", chat()), range(6)))
                self.assertEqual([r.status for r in replies], [200] * 6)
                self.assertGreater(time.monotonic() - begin, 0.055)  # three turns of two
            self.assertEqual(e.counts()["max_in_service"], 2)

    def test_a_client_that_leaves_frees_its_slot(self):
        with Emulator(PROGRAM, "ollama", "--model", "m", "--parallel", "1", "--latency-ms", "30000") as e:
            with self.assertRaises(TimeoutError):
                e.post("/api/chat", chat(), timeout=0.2)
            time.sleep(0.1)
            counts = e.counts()
            self.assertEqual(counts["statuses"], {"client_left": 1})
            self.assertEqual(counts["answers"]["given"], 0)

    def test_thinking_uses_up_the_tokens(self):
        with Emulator(PROGRAM, "ollama", "--model", "m", "--thinking") as e:
            answer = e.post("/api/chat", chat(options={"num_predict": 4})).json()
            self.assertEqual((answer["message"]["content"], answer["done_reason"]), ("", "length"))
            self.assertTrue(answer["message"]["thinking"])
            self.assertNotIn("thinking", e.post("/api/chat", chat(think=False)).json()["message"])

    def test_errors_before_0_12_6_have_status_200(self):
        fault = [{"fault": "runner_stopped", "times": 9}]
        for version, status in (("0.12.5", 200), ("0.12.6", 500)):
            with Emulator(PROGRAM, "ollama", "--model", "m", "--version", version, faults=fault) as e:
                answer = e.post("/api/chat", chat(stream=True))
                self.assertEqual(answer.status, status)
                self.assertIn("unexpectedly stopped", answer.lines()[0]["error"])

    def test_digest_changes_in_mid_run(self):
        with Emulator(PROGRAM, "ollama", "--model", "m", faults=[{"fault": "digest_changed", "requests": [2]}]) as e:
            e.post("/api/chat", chat())
            e.post("/api/chat", chat())
            before = e.send("/api/tags").json()["models"][0]["digest"]
            e.post("/api/chat", chat())
            self.assertNotEqual(before, e.send("/api/tags").json()["models"][0]["digest"])


class OpenAi(unittest.TestCase):
    def ask(self, e, **more):
        return e.post("/v1/chat/completions", {"model": "m", "messages": QUESTION, **more})

    def test_keys_models_and_dialects(self):
        bodies = {"llama": {"error": {"code": 401, "message": "Invalid API Key", "type": "authentication_error"}},
                  "vllm": {"error": "Unauthorized"}}
        for dialect in ("llama", "vllm", "openai"):
            with Emulator(PROGRAM, "openai", "--model", "m", "--dialect", dialect, key="sk-1") as e:
                refused = send(e.url + "/v1/models")
                self.assertEqual(refused.status, 401)
                self.assertEqual(refused.json(), bodies.get(dialect, refused.json()))
                self.assertEqual(e.send("/v1/models").json()["data"][0]["id"], "m")
                missing = e.post("/v1/chat/completions", {"model": "x", "messages": QUESTION})
                self.assertEqual(missing.status, 404)
                if dialect == "openai":
                    self.assertEqual(missing.json()["error"]["code"], "model_not_found")
                health = e.send("/health") if dialect == "openai" else send(e.url + "/health")
                self.assertEqual(health.status, 404 if dialect == "openai" else 200)
                self.assertEqual(e.send("/props").status, 200 if dialect == "llama" else 404)

    def test_loading(self):
        with Emulator(PROGRAM, "openai", "--model", "m", "--loading-ms", "300") as e:
            self.assertEqual(e.send("/health").json()["error"]["message"], "Loading model")
            self.assertEqual(self.ask(e).status, 503)
            time.sleep(0.35)
            self.assertEqual(e.send("/health").json(), {"status": "ok"})

    def test_stream_usage_and_logprobs(self):
        with Emulator(PROGRAM, "openai", "--model", "m") as e:
            whole = self.ask(e, logprobs=True, top_logprobs=2, max_tokens=2).json()
            self.assertEqual(whole["choices"][0]["finish_reason"], "length")
            self.assertEqual(whole["usage"], {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5,
                                              "prompt_tokens_details": {"cached_tokens": 0}})
            logprobs = whole["choices"][0]["logprobs"]["content"]
            text = whole["choices"][0]["message"]["content"]
            self.assertEqual("".join(l["token"] for l in logprobs), text)
            self.assertEqual({len(l["top_logprobs"]) for l in logprobs}, {2})
            events = self.ask(e, max_tokens=2, stream=True, stream_options={"include_usage": True}).events()
            self.assertEqual(events[-1], "[DONE]")
            self.assertEqual(events[-2]["usage"], whole["usage"])
            deltas = [c["delta"].get("content", "") for ev in events[:-1] for c in ev["choices"]]
            self.assertEqual("".join(deltas), text)

    def test_context(self):
        with Emulator(PROGRAM, "openai", "--model", "m", "--num-ctx", "3") as e:
            error = self.ask(e).json()["error"]
            self.assertEqual((error["type"], error["n_prompt_tokens"], error["n_ctx"]),
                             ("exceed_context_size_error", 3, 3))

    def test_replay(self):
        answers = [{"messages": QUESTION, "temperature": 0, "seed": None, "max_tokens": 5, "text": "greedy answer",
                    "finish_reason": "stop", "prompt_tokens": 11, "completion_tokens": 4},
                   {"messages": QUESTION, "temperature": 1, "seed": 7, "max_tokens": 5, "text": "seventh",
                    "finish_reason": "length", "prompt_tokens": 11, "completion_tokens": 5}]
        with Emulator(PROGRAM, "openai", "--model", "m", answers=answers) as e:
            for seed in (1, 2):
                reply = self.ask(e, temperature=0.0, seed=seed, max_tokens=5).json()
                self.assertEqual(reply["choices"][0]["message"]["content"], "greedy answer")
                self.assertEqual((reply["usage"]["prompt_tokens"], reply["usage"]["completion_tokens"]), (11, 4))
            seventh = self.ask(e, temperature=1, seed=7, max_completion_tokens=5).json()["choices"][0]
            self.assertEqual((seventh["message"]["content"], seventh["finish_reason"]), ("seventh", "length"))
            other = self.ask(e, temperature=1, seed=8, max_tokens=5).json()["choices"][0]
            self.assertNotEqual(other["message"]["content"], "seventh")

    def test_the_same_seed_gives_the_same_answers(self):
        texts = []
        for seed in (1, 1, 2):
            with Emulator(PROGRAM, "openai", "--model", "m", seed=seed) as e:
                texts.append([self.ask(e, temperature=t, seed=s).json()["choices"][0]["message"]["content"]
                              for t, s in ((0, 1), (0, 2), (1, 1), (1, 2))])
        self.assertEqual(texts[0], texts[1])
        self.assertNotEqual(texts[0], texts[2])
        self.assertEqual(texts[0][0], texts[0][1])  # greedy
        self.assertNotEqual(texts[0][2], texts[0][3])

    def test_capacity(self):
        with Emulator(PROGRAM, "openai", "--model", "m", "--capacity", "4@0,1@1.5", "--latency-ms", "200") as e:
            def burst():
                with concurrent.futures.ThreadPoolExecutor(8) as pool:
                    return sorted(r.status for r in pool.map(lambda _: self.ask(e), range(8)))
            begin = time.monotonic()
            self.assertEqual(burst(), [200] * 4 + [429] * 4)
            time.sleep(max(0, begin + 1.8 - time.monotonic()))
            self.assertEqual(burst(), [200] + [429] * 7)
            counts = e.counts()
            self.assertEqual(counts["max_in_service"], 4)
            self.assertEqual(sum(s["served"] for s in counts["seconds"]), 5)
            self.assertEqual(sum(s["rejected"] for s in counts["seconds"]), 11)
            self.assertAlmostEqual(sum(s["in_service"] for s in counts["seconds"]), 1.0, delta=0.2)


class Faults(unittest.TestCase):
    def one(self, service, fault, body, path, **more):
        with Emulator(PROGRAM, service, "--model", "m", faults=[{"fault": fault, **more}]) as e:
            return e.post(path, body, timeout=2)

    def openai(self, fault, stream=False, **more):
        body = {"model": "m", "messages": QUESTION, "stream": stream}
        return self.one("openai", fault, body, "/v1/chat/completions", **more)

    def test_connections(self):
        for fault, failure in (("reset_before", ConnectionResetError), ("lost_reply", ConnectionResetError),
                               ("refuse_connections", ConnectionResetError),
                               ("reset_within", (ConnectionResetError, http.client.IncompleteRead)),
                               ("cut_body", http.client.IncompleteRead)):
            with self.subTest(fault), self.assertRaises(failure):
                self.openai(fault)
        with self.assertRaises(json.JSONDecodeError):
            self.openai("malformed_json").json()
        self.assertEqual(self.openai("empty_body").body, b"")
        cut = self.openai("cut_stream", stream=True)
        self.assertNotIn(b"[DONE]", cut.body)
        self.assertIn("content", self.openai("split_bytes").json()["choices"][0]["message"])

    def test_the_port_is_closed_for_a_while(self):
        with Emulator(PROGRAM, "openai", "--model", "m", faults=[{"fault": "refuse_connections", "ms": 200}]) as e:
            with self.assertRaises(ConnectionResetError):
                e.send("/v1/models")
            with self.assertRaises(ConnectionRefusedError):
                e.send("/v1/models")
            time.sleep(0.3)
            self.assertEqual(e.send("/v1/models").status, 200)

    def test_limits(self):
        for fault, header in (("limit_no_header", None), ("limit_seconds", "1"), ("limit_zero", "0"),
                              ("limit_negative", "-5"), ("limit_huge", "86400"), ("limit_text", "soon")):
            reply = self.openai(fault)
            self.assertEqual((reply.status, reply.headers["Retry-After"]), (429, header), fault)
        self.assertEqual(self.openai("limit_ms").headers["retry-after-ms"], "150.5")
        self.assertRegex(self.openai("limit_date").headers["Retry-After"], r"^\w{3}, \d\d \w{3} \d{4} .* GMT$")

    def test_odd_answers(self):
        def message(fault):
            return json.loads(self.openai(fault).body)["choices"][0]["message"]
        self.assertIsNone(message("content_null")["content"])
        self.assertEqual([p["type"] for p in message("content_parts")["content"]], ["text", "text"])
        self.assertIn("\0", message("nul_in_content")["content"])
        self.assertIn(b"\\ud83d", self.openai("lone_surrogate").body)
        with self.assertRaises(UnicodeDecodeError):
            self.openai("invalid_utf8").body.decode()
        self.assertGreater(len(self.openai("content_10mb").body), 10_000_000)
        self.assertIsInstance(self.openai("numbers_as_strings").json()["usage"]["prompt_tokens"], str)
        self.assertIn(b"\nerror: {", self.openai("old_error_event", stream=True).body)
        done = self.one("ollama", "done_false", chat(), "/api/chat").json()
        self.assertEqual((done["done"], "eval_count" in done), (False, False))
        lines = self.one("ollama", "error_in_stream", chat(stream=True), "/api/chat").lines()
        self.assertIn("error", lines[-1])

    def test_death(self):
        with Emulator(PROGRAM, "openai", "--model", "m", faults=[{"fault": "engine_death", "from": 1}]) as e:
            body = {"model": "m", "messages": QUESTION}
            self.assertEqual([e.post("/v1/chat/completions", body).status for _ in range(2)], [200, 500])
            with self.assertRaises(ConnectionResetError):
                e.send("/v1/models")
            self.assertEqual(e.counts()["faults"], {"engine_death": 1})

    def test_drip_is_slow(self):
        begin = time.monotonic()
        self.assertEqual(self.openai("drip", ms=1).status, 200)
        self.assertGreater(time.monotonic() - begin, 0.2)

    def test_when_faults_strike(self):
        body = {"model": "m", "messages": QUESTION}

        def statuses(count, **more):
            with Emulator(PROGRAM, "openai", "--model", "m", faults=[{"fault": "http_500", "route": "chat", **more}]) as e:
                return [e.post("/v1/chat/completions", body).status for _ in range(count)]
        self.assertEqual(statuses(3), [500, 200, 200])
        self.assertEqual(statuses(4, requests=[1, 3]), [200, 500, 200, 500])
        self.assertEqual(statuses(4, **{"from": 2}), [200, 200, 500, 500])
        self.assertEqual(statuses(4, requests=[1, 3], times=1), [200, 500, 200, 200])
        some = statuses(60, probability=0.5)
        self.assertEqual(some, statuses(60, probability=0.5))  # from the seed
        self.assertTrue(15 < some.count(500) < 45)

    def test_a_wrong_script_is_refused(self):
        for script in ('{"faults":[{"fault":"no_such"}]}', '{"faults":[{"fault":"drip","mss":1}]}', "["):
            with self.subTest(script), Emulator(PROGRAM, "openai") as e:
                self.assertEqual(send(e.url + "/_emulator/faults", "POST", script).status, 400)

    def test_every_fault_of_the_list_strikes(self):
        readme = (pathlib.Path(__file__).parent / "README.md").read_text()
        fireworks = "accounts/fireworks/models/m"
        for service, path, body in (("ollama", "/api/chat", chat()),
                                    ("openai", "/v1/chat/completions", {"model": "m", "messages": QUESTION}),
                                    ("fireworks", "/inference/v1/chat/completions", {"model": fireworks, "messages": QUESTION})):
            rows = json.loads(subprocess.run([PROGRAM, service, "--list-faults"], check=True,
                                             capture_output=True).stdout)
            self.assertEqual(len({r["name"] for r in rows}), len(rows))
            with Emulator(PROGRAM, service, "--model", "m", key="k") as e:
                plain = strip(e.post(path, body).body)
                for row in rows:
                    self.assertIn(row["kind"], ("transient", "permanent", "cosmetic"))
                    self.assertIn(f"| `{row['name']}` |", readme)
                    self.assertIn(row["why"], readme)
                    if row["mode"] == "batch":
                        continue
                    if row["name"] in ("engine_death", "model_missing", "model_changed", "refuse_connections"):
                        continue  # these last, and have tests of their own
                    with self.subTest(service + " " + row["name"]):
                        self.strikes_once(e, row, path, body, plain)

    def strikes_once(self, e, row, path, body, plain):
        e.script([{"fault": row["name"], "route": "chat", "times": 1, "ms": 1}])
        before = e.counts()["faults"].get(row["name"], 0)
        try:
            struck = strip(e.post(path, body, timeout=5).body)
        except (ConnectionError, http.client.HTTPException, socket.timeout):
            struck = None
        self.assertEqual(e.counts()["faults"][row["name"]], before + 1)
        harmless = ("late_answer", "late_always", "drip", "drip_always", "split_bytes", "keepalive_comments",
                    "crlf_stream", "evicted", "digest_changed")
        (self.assertEqual if row["name"] in harmless else self.assertNotEqual)(struck, plain)
        self.assertEqual(strip(e.post(path, body).body), plain)  # and it is over


def strip(body):
    """The body without what differs from call to call."""
    try:
        value = json.loads(body)
    except ValueError:
        return body
    if isinstance(value, dict):
        for name in ("created", "created_at", "total_duration", "load_duration", "prompt_eval_duration", "eval_duration"):
            if isinstance(value.get(name), (int, str)):
                value[name] = type(value[name])()
    return value


if __name__ == "__main__":
    unittest.main(verbosity=1)
