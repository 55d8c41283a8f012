#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The emulated Fireworks does what the protocol says: datasets, signed URLs, jobs, results, keys."""
import http.client
import json
import subprocess
import sys
import time
import unittest
import urllib.parse

from emulator_process import Emulator, send

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else "promptsweep-emulator"
BASE = "/v1/accounts/acme"
MODEL = "accounts/fireworks/models/m"


class Account(Emulator):
    def __init__(self, *options, **more):
        super().__init__(PROGRAM, "fireworks", "--model", MODEL, *options, key="fw-1", **more)

    def create(self, name, count=3, **fields):
        dataset = {"userUploaded": {}, "exampleCount": str(count), "format": "CHAT", **fields}
        return self.post(f"{BASE}/datasets", {"datasetId": name, "dataset": dataset})

    def upload(self, name, data):
        body = (b'--XX\r\nContent-Disposition: form-data; name="file"; filename="in.jsonl"\r\n'
                b"Content-Type: application/jsonl\r\n\r\n" + data + b"\r\n--XX--\r\n")
        return self.post(f"{BASE}/datasets/{name}:upload", body, {"Content-Type": "multipart/form-data; boundary=XX"})

    def ready(self, name):
        for _ in range(20):
            if self.send(f"{BASE}/datasets/{name}").json()["state"] == "READY":
                return
        raise AssertionError("never READY")

    def dataset(self, name, lines):
        assert self.create(name, len(lines)).status == 200
        assert self.upload(name, jsonl(lines)).status == 200
        self.ready(name)

    def job(self, name, dataset="in", **fields):
        body = {"model": MODEL, "inputDatasetId": f"accounts/acme/datasets/{dataset}",
                "outputDatasetId": f"accounts/acme/datasets/{name}-out", **fields}
        return self.post(f"{BASE}/batchInferenceJobs?batchInferenceJobId={name}", body)

    def state(self, name):
        return self.send(f"{BASE}/batchInferenceJobs/{name}").json()["state"]

    def run(self, name):
        """States that polls saw, to the last."""
        seen = []
        for _ in range(20):
            seen.append(self.state(name).replace("JOB_STATE_", ""))
            if seen[-1] in ("COMPLETED", "FAILED", "CANCELLED", "EXPIRED"):
                break
        return seen

    def files(self, name, query=""):
        answer = self.send(f"{BASE}/datasets/{name}-out:getDownloadEndpoint{query}")
        assert answer.status == 200, answer.body
        return {key: send(url).body for key, url in answer.json()["filenameToSignedUrls"].items()}

    def results(self, name):
        return [json.loads(line) for key, data in self.files(name).items() if not key.endswith("error-data")
                for line in data.splitlines() if line.strip()]


def jsonl(lines):
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def rows(count, **body):
    return [{"custom_id": f"r{i}", "body": {"messages": [{"role": "user", "content": f"question {i}"}],
                                            "max_tokens": 50, "temperature": 0, **body}} for i in range(count)]


class Datasets(unittest.TestCase):
    def test_create_upload_ready(self):
        with Account() as a:
            self.assertEqual(a.send(f"{BASE}/datasets/in").json(),
                             {"code": 5, "message": "resource not found", "details": []})
            created = a.create("in").json()
            self.assertEqual((created["name"], created["exampleCount"], created["state"]),
                             ("accounts/acme/datasets/in", "3", "UPLOADING"))
            again = a.create("in")
            self.assertEqual((again.status, again.json()["code"]), (409, 6))
            upload = a.upload("in", jsonl(rows(3))).json()
            self.assertEqual((upload["bytes"], upload["filename"]), (len(jsonl(rows(3))), "in.jsonl"))
            twice = a.upload("in", jsonl(rows(3)))
            self.assertEqual(twice.status, 400)
            self.assertIn("already uploaded", twice.json()["message"])
            states = [a.send(f"{BASE}/datasets/in").json()["state"] for _ in range(3)]
            self.assertEqual(states, ["UPLOADING", "READY", "READY"])
            self.assertEqual(a.counts()["creates_conflicted"], 1)
            self.assertEqual(a.send(f"{BASE}/datasets/in", "DELETE").json(), {})
            self.assertEqual(a.send(f"{BASE}/datasets/in").status, 404)

    def test_what_create_refuses(self):
        with Account() as a:
            missing = a.post(f"{BASE}/datasets", {"datasetId": "x", "dataset": {"userUploaded": {}}})
            self.assertEqual(missing.json()["message"],
                             "error validating dataset: example_count is required for uploaded datasets")
            self.assertEqual(a.create("Upper").status, 400)
            self.assertIn("unknown field", a.create("x", example_count="3").json()["message"])
            self.assertEqual(a.send("/v1/accounts/me@example.com/datasets").status, 400)

    def test_keys(self):
        with Account() as a:
            for headers in ({}, {"Authorization": "Bearer wrong"}):
                for path in (f"{BASE}/datasets", "/inference/v1/models"):
                    refused = send(a.url + path, headers=headers)
                    self.assertEqual((refused.status, refused.json()["error"]["code"]), (403, "UNAUTHORIZED"))

    def test_signed_upload(self):
        data = jsonl(rows(3))
        with Account() as a:
            a.create("in")
            self.assertEqual(a.post(f"{BASE}/datasets/in:validateUpload", {}).json()["code"], 9)
            urls = a.post(f"{BASE}/datasets/in:getUploadEndpoint", {"filenameToSize": {"in.jsonl": str(len(data))}})
            url = urls.json()["filenameToSignedUrls"]["in.jsonl"]
            self.assertNotEqual(urllib.parse.urlsplit(url).port, urllib.parse.urlsplit(a.url).port)
            self.assertIn("X-Goog-SignedHeaders=content-type%3Bhost%3Bx-goog-content-length-range", url)
            right = {"Content-Type": "application/octet-stream", "x-goog-content-length-range": f"{len(data)},{len(data)}"}
            with_key = send(url, "PUT", data, {**right, "Authorization": "Bearer fw-1"})
            self.assertEqual(with_key.status, 400)
            self.assertIn(b"<Error><Code>", with_key.body)
            self.assertEqual(send(url, "PUT", data, {"Content-Type": "application/octet-stream"}).status, 403)
            self.assertEqual(send(url, "PUT", data + b"x", right).status, 400)
            self.assertEqual(self.chunked(url, data, right), 411)
            self.assertEqual(send(url.replace("in.jsonl", "other.jsonl"), "PUT", data, right).status, 403)
            self.assertEqual(send(url, "GET").status, 403)
            self.assertEqual(send(url, "PUT", data, right).status, 200)
            self.assertEqual(a.post(f"{BASE}/datasets/in:validateUpload", {}).json(), {})
            a.ready("in")
            counts = a.counts()
            self.assertEqual((counts["authorization_on_signed_urls"], counts["bytes_uploaded"]), (1, len(data)))
            a.job("j")
            self.assertEqual(a.run("j")[-1], "COMPLETED")
            self.assertEqual(len(a.results("j")), 3)

    def chunked(self, url, data, headers):
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port)
        connection.request("PUT", parts.path + "?" + parts.query, iter([data]), headers, encode_chunked=True)
        status = connection.getresponse().status
        connection.close()
        return status

    def test_signed_urls_expire(self):
        with Account("--url-seconds", "1") as a:
            a.dataset("in", rows(3))
            url = a.send(f"{BASE}/datasets/in:getDownloadEndpoint").json()["filenameToSignedUrls"]["dataset/in/in.jsonl"]
            self.assertEqual(send(url).body, jsonl(rows(3)))
            time.sleep(1.1)
            late = send(url)
            self.assertEqual((late.status, b"<Code>ExpiredToken" in late.body), (403, True))

    def test_pages(self):
        with Account() as a:
            for i in range(5):
                a.create(f"d{i}")
            first = a.send(f"{BASE}/datasets?pageSize=3").json()
            self.assertEqual((len(first["datasets"]), first["totalSize"]), (3, 5))
            second = a.send(f"{BASE}/datasets?pageSize=3&pageToken={first['nextPageToken']}").json()
            self.assertEqual((len(second["datasets"]), second["nextPageToken"]), (2, ""))


class Jobs(unittest.TestCase):
    def test_the_life_of_a_job(self):
        with Account("--shards", "3") as a:
            a.dataset("in", rows(40))
            created = a.job("j").json()
            self.assertEqual((created["state"], created["jobProgress"]), ("JOB_STATE_VALIDATING", None))
            self.assertEqual(a.run("j"), ["PENDING", "CREATING", "RUNNING", "RUNNING", "WRITING_RESULTS", "COMPLETED"])
            progress = a.send(f"{BASE}/batchInferenceJobs/j").json()["jobProgress"]
            self.assertEqual((progress["percent"], progress["successfullyProcessedRequests"]), (100, 40))
            files = a.files("j")
            self.assertEqual(sorted(files), ["dataset/j-out/BIJOutputSet-1.jsonl", "dataset/j-out/BIJOutputSet-2.jsonl",
                                             "dataset/j-out/BIJOutputSet.jsonl", "dataset/j-out/error-data"])
            ids = [r["custom_id"] for r in a.results("j")]
            self.assertEqual(sorted(ids), sorted(f"r{i}" for i in range(40)))
            self.assertNotEqual(ids, [f"r{i}" for i in range(40)])
            self.assertEqual(files["dataset/j-out/error-data"], b"")
            jobs = a.counts()["jobs"]
            self.assertEqual((jobs["created"], jobs["rows_paid"], jobs["same_input"]), (1, 40, 0))

    def test_batch_and_realtime_answer_alike(self):
        with Account() as a:
            a.dataset("in", rows(5))
            a.job("j")
            a.run("j")
            for row in a.results("j"):
                body = next(r["body"] for r in rows(5) if r["custom_id"] == row["custom_id"])
                one = a.post("/inference/v1/chat/completions", {"model": MODEL, **body}).json()
                self.assertEqual(row["response"]["choices"], one["choices"])
                self.assertEqual(row["response"]["usage"], one["usage"])

    def test_an_id_is_taken_once(self):
        with Account() as a:
            a.dataset("in", rows(3))
            self.assertEqual(a.job("j").status, 200)
            again = a.job("j", outputDatasetId="accounts/acme/datasets/elsewhere")
            self.assertEqual((again.status, again.json()["code"]), (409, 6))
            other = a.job("j2")
            self.assertEqual(other.status, 200)
            counts = a.counts()
            self.assertEqual((counts["creates_conflicted"], counts["jobs"]["created"], counts["jobs"]["same_input"]),
                             (1, 2, 1))

    def test_what_create_refuses(self):
        with Account("--max-jobs", "1") as a:
            a.dataset("in", rows(3))
            a.create("empty")
            for fields, text in (({"model": "accounts/fireworks/models/x"}, "model not found"),
                                 ({"inputDatasetId": "nothing"}, "input dataset not found"),
                                 ({"inputDatasetId": "empty"}, "not ready"),
                                 ({"outputDatasetId": "in"}, "already exists"),
                                 ({"inferenceParameters": {"extraBody": {"stop": []}}}, "invalid value"),
                                 ({"inferenceParameters": {"max_tokens": 3}}, "unknown field"),
                                 ({"colour": "red"}, "unknown field")):
                refused = a.job("j", **fields)
                self.assertIn(refused.status, (400, 404))
                self.assertIn(text, refused.json()["message"])
            self.assertEqual(a.job("j").status, 200)
            quota = a.job("k")
            self.assertEqual(quota.status, 400)
            self.assertIn("job-submission-count for account acme, in use: 1, quota: 1", quota.json()["message"])
            a.run("j")
            self.assertEqual(a.job("k").status, 200)

    def test_one_bad_row_fails_the_job(self):
        good = rows(3)
        bad = {"unknown": rows(1, colour="red"), "twice": rows(1) + rows(1),
               "role": [{"custom_id": "a", "body": {"messages": [{"role": "robot", "content": "x"}]}}],
               "model": rows(1, model="x"), "method": [{**rows(1)[0], "method": "POST"}],
               "both": rows(1, max_completion_tokens=3), "json": None}
        with Account() as a:
            for name, lines in bad.items():
                a.create(name)
                a.upload(name, jsonl(good[1:]) + (jsonl(lines) if lines else b"{broken\n"))
                a.ready(name)
                a.job(f"j-{name}", name)
                self.assertEqual(a.run(f"j-{name}"), ["FAILED"], name)
                status = a.send(f"{BASE}/batchInferenceJobs/j-{name}").json()["status"]
                self.assertEqual(status["code"], "INVALID_ARGUMENT")
                self.assertIn("Dataset has a syntax error", status["message"])
                self.assertEqual(a.send(f"{BASE}/datasets/j-{name}-out:getDownloadEndpoint").status, 404)
            self.assertEqual(a.counts()["jobs"]["rows_paid"], 0)

    def test_download_endpoint_wants_a_bare_get(self):
        with Account() as a:
            a.dataset("in", rows(1))
            path = f"{BASE}/datasets/in:getDownloadEndpoint"
            post = a.post(path, {})
            self.assertEqual((post.status, post.body), (405, b"Method Not Allowed"))
            body = a.send(path, "GET", "{}")
            self.assertEqual((body.status, b"<html>" in body.body), (400, True))

    def test_expiry_and_continuation(self):
        with Account(faults=[{"fault": "expired_partial"}]) as a:
            a.dataset("in", rows(20))
            a.job("j")
            self.assertEqual(a.run("j")[-1], "EXPIRED")
            part = {r["custom_id"] for r in a.results("j")}
            self.assertTrue(0 < len(part) < 20)
            a.post(f"{BASE}/batchInferenceJobs?batchInferenceJobId=k",
                   {"continuedFromJobName": "accounts/acme/batchInferenceJobs/j",
                    "outputDatasetId": "accounts/acme/datasets/k-out"})
            self.assertEqual(a.run("k")[-1], "COMPLETED")
            rest = {r["custom_id"] for r in a.results("k")}
            self.assertEqual(part | rest, {f"r{i}" for i in range(20)})
            self.assertEqual(part & rest, set())
            names = {key.split("/")[1] for key in a.files("k", "?downloadLineage=true")}
            self.assertEqual(names, {"j-out", "k-out"})
            self.assertEqual(a.counts()["jobs"]["rows_paid"], 20)

    def test_delete_cancels(self):
        with Account() as a:
            a.dataset("in", rows(3))
            a.job("j")
            self.assertEqual(a.send(f"{BASE}/batchInferenceJobs/j", "DELETE").json(), {})
            self.assertEqual(a.state("j"), "JOB_STATE_DELETING_CLEANING_UP")
            self.assertEqual(a.send(f"{BASE}/batchInferenceJobs/j").status, 404)
            self.assertEqual(a.counts()["jobs"]["rows_paid"], 0)

    def test_time_instead_of_polls(self):
        with Account("--job-ms", "200") as a:
            a.dataset("in", rows(3))
            a.job("j")
            self.assertNotEqual(a.state("j"), "JOB_STATE_COMPLETED")
            time.sleep(0.25)
            self.assertEqual(a.state("j"), "JOB_STATE_COMPLETED")

    def test_list(self):
        with Account() as a:
            a.dataset("in", rows(3))
            a.job("j")
            listed = a.send(f"{BASE}/batchInferenceJobs").json()["batchInferenceJobs"]
            self.assertEqual([j["name"] for j in listed], ["accounts/acme/batchInferenceJobs/j"])


class Faults(unittest.TestCase):
    def job_with(self, fault, count=30):
        with Account("--ready-polls", "1", faults=[{"fault": fault}]) as a:
            a.dataset("in", rows(count))
            a.job("j")
            states = a.run("j")
            files = a.files("j") if states[-1] in ("COMPLETED", "EXPIRED") else {}
            return states, files

    def data_of(self, fault):
        files = self.job_with(fault)[1]
        return (b"".join(v for k, v in files.items() if not k.endswith("error-data")),
                next(v for k, v in files.items() if k.endswith("error-data")))

    def test_a_lost_create_reply_leaves_the_job(self):
        for fault, failure in (("lost_create_reply", True), ("html_create_reply", False)):
            with Account(faults=[{"fault": fault}]) as a:
                a.dataset("in", rows(3))
                if failure:
                    with self.assertRaises(ConnectionResetError):
                        a.job("j")
                else:
                    self.assertEqual(a.job("j").status, 502)
                self.assertEqual(a.job("j").status, 409)
                self.assertEqual(a.run("j")[-1], "COMPLETED")
                self.assertEqual(a.counts()["jobs"]["created"], 1)

    def test_uploads_that_go_wrong(self):
        data = jsonl(rows(2))
        right = {"Content-Type": "application/octet-stream", "x-goog-content-length-range": f"{len(data)},{len(data)}"}
        with Account(faults=[{"fault": "put_url_expired"}, {"fault": "validate_not_settled"}]) as a:
            a.create("in", 2)
            statuses = []
            for _ in range(2):
                urls = a.post(f"{BASE}/datasets/in:getUploadEndpoint", {"filenameToSize": {"in.jsonl": len(data)}}).json()
                statuses.append(send(urls["filenameToSignedUrls"]["in.jsonl"], "PUT", data, right).status)
            self.assertEqual(statuses, [403, 200])
            validated = [a.post(f"{BASE}/datasets/in:validateUpload", {}).status for _ in range(2)]
            self.assertEqual(validated, [400, 200])
        with Account(faults=[{"fault": "snake_case_only"}, {"fault": "lost_upload_reply"}]) as a:
            self.assertIn("unknown field", a.create("in").json()["message"])
            snake = {"userUploaded": {}, "example_count": "2"}
            self.assertEqual(a.post(f"{BASE}/datasets", {"datasetId": "in", "dataset": snake}).status, 200)
            with self.assertRaises(ConnectionResetError):
                a.upload("in", data)
            self.assertIn("already uploaded", a.upload("in", data).json()["message"])

    def test_keys_revoked_in_mid_run(self):
        with Account(faults=[{"fault": "key_revoked_polling", "from": 2}]) as a:
            a.dataset("in", rows(2))
            a.job("j")
            polls = [a.send(f"{BASE}/batchInferenceJobs/j").status for _ in range(4)]
            self.assertEqual(polls, [200, 200, 403, 403])

    def test_states(self):
        states = self.job_with("state_goes_back")[0]
        self.assertGreater(states.index("RE_QUEUEING"), states.index("RUNNING"))
        self.assertEqual(states[-1], "COMPLETED")
        self.assertIn("CONTEMPLATING", self.job_with("unknown_state")[0])
        self.assertIn("PAUSED", self.job_with("paused")[0])
        self.assertEqual(set(self.job_with("pending_forever")[0]), {"PENDING"})
        self.assertEqual(self.job_with("job_failed")[0][-1], "FAILED")
        self.assertEqual(self.job_with("job_cancelled")[0][-1], "CANCELLED")
        with Account(faults=[{"fault": "bare_state_names"}]) as a:
            a.dataset("in", rows(1))
            self.assertEqual(a.job("j").json()["state"], "VALIDATING")

    def test_results(self):
        plain, nothing = self.data_of("job_numbers")
        self.assertEqual((plain.count(b"\n"), nothing), (30, b""))
        self.assertLess(self.data_of("rows_missing")[0].count(b"\n"), 30)
        self.assertEqual(self.data_of("rows_missing")[1], b"")
        self.assertGreater(self.data_of("row_twice")[0].count(b"\n"), 30)
        self.assertEqual(self.data_of("unknown_ids")[0].count(b"nobody-"), 2)
        self.assertIn(b"-wrong", self.data_of("wrong_ids")[0])
        self.assertEqual(self.data_of("crlf")[0].replace(b"\r\n", b"\n"), plain)
        self.assertIn(b"\n\n", self.data_of("blank_lines")[0])
        self.assertEqual(self.data_of("no_final_newline")[0].count(b"\n"), 28)  # two shards
        last = self.data_of("cut_last_line")[0].splitlines()[-1]
        self.assertRaises(ValueError, json.loads, last)
        good, errors = self.data_of("error_rows")
        self.assertEqual(good.count(b"\n") + errors.count(b"\n"), 30)
        self.assertEqual(json.loads(errors.splitlines()[0])["error"]["code"], 500)
        self.assertIsInstance(json.loads(self.data_of("error_as_string")[1].splitlines()[0])["error"], str)
        self.assertIn(b'"body":{', self.data_of("result_body_shape")[0])
        self.assertIn(b'"usage":null', self.data_of("row_usage_null")[0])
        self.assertIn(b'"content":[{', self.data_of("row_content_parts")[0])

    def test_the_first_copy_is_the_right_one(self):
        plain = {}
        for line in self.data_of("job_numbers")[0].splitlines():
            row = json.loads(line)
            plain[row["custom_id"]] = row["response"]["choices"]
        first = {}
        for line in self.data_of("row_twice_differs")[0].splitlines():
            row = json.loads(line)
            first.setdefault(row["custom_id"], row["response"]["choices"])
        self.assertEqual(first, plain)

    def test_every_fault_of_the_list_strikes(self):
        listed = json.loads(subprocess.run([PROGRAM, "fireworks", "--list-faults"], check=True, capture_output=True).stdout)
        self.assertGreater(len(listed), 100)
        for row in listed:
            self.assertIn(row["mode"], ("batch", "realtime", "any"))
            if row["mode"] == "realtime" or row["applies_to"] in ("any", "storage_put", "dataset_validate", "chat"):
                continue
            with self.subTest(row["name"]), Account("--ready-polls", "1", faults=[{"fault": row["name"], "ms": 1, "times": 1}]) as a:
                self.whole_way(a)
                self.assertEqual(a.counts()["faults"], {row["name"]: 1})

    def whole_way(self, a):
        def ignoring(step, *arguments):
            try:
                step(*arguments)
            except (ConnectionError, http.client.HTTPException, ValueError, KeyError, AssertionError):
                pass
        for step, *arguments in ((a.create, "in"), (a.create, "in"), (a.upload, "in", jsonl(rows(3))), (a.ready, "in"),
                                 (a.job, "j"), (a.job, "j"), (a.run, "j"), (a.files, "j")):
            ignoring(step, *arguments)


if __name__ == "__main__":
    unittest.main(verbosity=1)
