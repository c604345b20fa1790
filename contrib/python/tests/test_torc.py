"""The client against a real torcd: one for each test, in a directory of its own.

    PATH=/where/torc/is:$PATH PYTHONPATH=. python3 -W error -m unittest discover -s tests
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import torc

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples"
#: Nothing here takes so long; only then has something gone wrong. In seconds.
LIMIT = 60


class Case(unittest.TestCase):
    """A torcd that is on disk, and a client of it."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.dir = pathlib.Path(scratch.name)
        self.socket = str(self.dir / "torcd.sock")
        self.start()
        self.addCleanup(self.torcctl, "daemon", "stop", "--quiet")
        self.client = torc.Client(self.socket)
        self.addCleanup(self.client.close)

    def torcctl(self, *arguments):
        command = ["torcctl", "--socket", self.socket, *arguments]
        subprocess.run(
            command, check=True, cwd=self.dir, timeout=LIMIT, stdout=subprocess.DEVNULL
        )

    def start(self):
        self.torcctl("--db", str(self.dir / "torc.db"), "daemon", "start", "--quiet")

    def kill(self):
        """Kills torcd, and returns when it is gone."""
        pid = self.client.status().pid
        os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + LIMIT
        while self.answers():
            self.assertLess(time.monotonic(), end, "a killed torcd answers")

    def answers(self):
        with torc.Client(self.socket) as client:
            try:
                return bool(client.status())
            except torc.Unavailable:
                return False

    def workflow(self, name="w"):
        return torc.Workflow(name, working_dir=str(self.dir))

    def run_to_end(self, workflow):
        return self.client.wait(self.client.submit(workflow), timeout=LIMIT)

    def until_running(self, workflow):
        """Returns when a job of this workflow runs."""
        for event in self.client.watch(workflow, from_seq=1):
            if event.kind == "job_started":
                return


class Running(Case):
    def test_jobs_run_with_what_they_were_given(self):
        workflow = self.workflow()
        workflow.description = "a test"
        workflow.metadata = {"by": "unittest"}
        workflow.env = {"PATH": os.environ["PATH"], "GREETING": "good day"}
        first = workflow.add("first", 'echo "$GREETING, $WHO"', env={"WHO": "you"}, priority=3)
        workflow.add("second", ["printf", "%s|", "a b", "$c"], depends_on=[first], cpus=1)
        workflow.add("third", "pwd; echo no >&2; exit 3", depends_on=["second"], working_dir="/")
        done = self.run_to_end(workflow)
        self.assertEqual((done.name, done.status, done.description), ("w", "failed", "a test"))
        self.assertEqual((done.jobs.total, done.jobs.completed, done.jobs.failed), (3, 2, 1))
        self.assertEqual(done.metadata, '{"by": "unittest"}')
        self.assertEqual(self.client.logs("first").text, "good day, you\n")
        self.assertEqual(self.client.logs("second").text, "a b|$c|")
        third = self.client.logs("third", workflow=done.id)
        self.assertEqual((third.stdout, third.stderr), (b"/\n", b"no\n"))
        jobs = {job.name: job for job in self.client.jobs(done.id)}
        self.assertEqual(jobs["first"].priority, 3)
        self.assertEqual([job.name for job in self.client.jobs(done.id, status=["failed"])], ["third"])
        (result,) = self.client.results("w", status=["failed"])
        self.assertEqual((result.name, result.return_code, result.attempt), ("third", 3, 1))
        self.assertGreater(result.wall, 0)
        self.assertEqual([one.id for one in self.client.workflows()], [done.id])
        self.assertEqual(list(self.client.workflows(name="other*")), [])

    def test_a_failed_job_is_tried_again(self):
        workflow = self.workflow()
        workflow.add("flaky", "echo $TORC_ATTEMPT; [ $TORC_ATTEMPT = 2 ]", retries=2)
        done = self.run_to_end(workflow)
        self.assertEqual(done.status, "completed")
        codes = [result.return_code for result in self.client.results(done.id, all_attempts=True)]
        self.assertEqual(codes, [1, 0])
        self.assertEqual(self.client.logs("flaky").text, "2\n")
        self.assertEqual(self.client.logs("flaky", attempt=1).text, "1\n")

    def test_files_say_what_waits_for_what(self):
        workflow = self.workflow()
        workflow.add("reader", "cat table", inputs=["table"])
        workflow.add("writer", "echo 42 > table", outputs=["table"])
        self.assertEqual(self.run_to_end(workflow).status, "completed")
        self.assertEqual(self.client.logs("reader").text, "42\n")

    def test_the_environment_of_this_process_is_that_of_the_jobs(self):
        os.environb[b"TORC_TEST_BYTES"] = b"\xff\xfe"
        self.addCleanup(os.environb.pop, b"TORC_TEST_BYTES")
        workflow = self.workflow()
        workflow.add("bytes", 'printf %s "$TORC_TEST_BYTES"')
        self.run_to_end(workflow)
        self.assertEqual(self.client.logs("bytes").stdout, b"\xff\xfe")

    def test_output_in_files_is_read_from_there(self):
        workflow = self.workflow()
        workflow.add("files", "echo out; echo err >&2", stdio="separate")
        self.run_to_end(workflow)
        output = self.client.logs("files")
        self.assertEqual((output.stdout, output.stderr), (b"out\n", b"err\n"))

    def test_large_output_comes_whole(self):
        workflow = self.workflow()
        workflow.add("large", "head -c 700000 /dev/zero")
        self.run_to_end(workflow)
        self.assertEqual(self.client.logs("large").stdout, b"\0" * 700_000)

    def test_lists_come_in_pages(self):
        workflow = self.workflow()
        names = [f"job{number}" for number in range(1_100)]
        for name in names:
            workflow.add(name, "true")
        # Not run, which would take longer.
        workflow.jobs[0].command = "sleep 300"
        for job in workflow.jobs[1:]:
            job.depends_on = ["job0"]
        number = self.client.submit(workflow)
        self.assertEqual([job.name for job in self.client.jobs(number)], names)
        self.client.cancel(number)
        self.client.wait(number, timeout=LIMIT)

    def test_the_sweep_of_the_examples(self):
        package = str(EXAMPLES.parent)
        environment = {**os.environ, "TORC_SOCKET": self.socket, "PYTHONPATH": package}
        command = [sys.executable, str(EXAMPLES / "sweep.py")]
        table = subprocess.run(
            command, cwd=self.dir, env=environment, check=True, timeout=LIMIT, stdout=subprocess.PIPE
        ).stdout.decode()
        lines = table.splitlines()
        self.assertEqual(lines[0].split(), ["rate", "10", "steps", "100", "steps"])
        self.assertEqual(lines[1].split(), ["0.5", "0.598737", "0.60577"])
        self.assertEqual(len(lines), 4)


class Watching(Case):
    def test_events_are_told_until_the_end(self):
        workflow = self.workflow()
        workflow.add("one", "true")
        number = self.client.submit(workflow)
        events = list(self.client.watch(number, from_seq=1))
        kinds = [event.kind for event in events if event.kind != "state"]
        expected = ["workflow_submitted", "job_started", "job_finished", "workflow_finished"]
        self.assertEqual(kinds, expected)
        self.assertEqual([event.seq for event in events], sorted(event.seq for event in events))
        self.assertEqual(events[-1].detail["status"], "completed")

    def test_who_has_ended_is_not_waited_for(self):
        workflow = self.workflow()
        workflow.add("one", "true")
        number = self.client.submit(workflow)
        self.client.wait(number, timeout=LIMIT)
        self.assertEqual(self.client.wait("w", timeout=LIMIT).id, number)

    def test_a_wait_has_its_time(self):
        workflow = self.workflow()
        workflow.add("long", "sleep 300")
        number = self.client.submit(workflow)
        with self.assertRaises(torc.TimedOut) as caught:
            self.client.wait(number, timeout=0.05)
        self.assertIn(f"workflow {number} 'w' has not ended", str(caught.exception))
        self.assertEqual((caught.exception.code, caught.exception.errno), ("timed_out", None))
        self.until_running(number)
        canceled = self.client.cancel(number, grace=1)
        self.assertEqual((canceled.workflow_id, canceled.stopping), (number, 1))
        self.assertEqual(self.client.wait(number, timeout=LIMIT).status, "canceled")

    def test_a_watch_may_be_left_and_the_client_goes_on(self):
        workflow = self.workflow()
        workflow.add("long", "sleep 300")
        number = self.client.submit(workflow)
        self.until_running(number)
        self.assertEqual(self.client.workflow(number).status, "running")
        self.client.cancel(number, jobs=["long"])
        self.client.wait(number, timeout=LIMIT)

    def test_threads_may_share_a_client(self):
        found = []

        def submit(place):
            workflow = self.workflow(f"w{place}")
            for name in ("a", "b", "c"):
                workflow.add(name, f"echo {place}{name}")
            found.append((place, self.client.wait(self.client.submit(workflow), timeout=LIMIT)))

        threads = [threading.Thread(target=submit, args=(place,)) for place in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(place for place, _ in found), [0, 1, 2, 3])
        for place, done in found:
            self.assertEqual((done.name, done.status), (f"w{place}", "completed"))
            self.assertEqual(self.client.logs("b", workflow=done.id).text, f"{place}b\n")


class Failing(Case):
    def test_errors_have_their_kind_and_a_hint(self):
        with self.assertRaises(torc.NotFound) as caught:
            self.client.workflow(99)
        self.assertEqual(caught.exception.code, "not_found")
        self.assertIn("99", caught.exception.message)
        with self.assertRaises(torc.InvalidRequest) as caught:
            self.client.request("list_jobs", limit=3)
        self.assertIn("unknown field `limit`", caught.exception.message)
        self.assertIn("torcctl api --list", caught.exception.hint)
        workflow = self.workflow()
        workflow.add("long", "sleep 300")
        number = self.client.submit(workflow)
        with self.assertRaises(torc.Refused):
            self.client.request("delete_workflow", workflow={"id": number})
        self.client.cancel(number)
        self.client.wait(number, timeout=LIMIT)

    def test_a_workflow_that_makes_no_sense_is_not_sent(self):
        workflow = self.workflow()
        workflow.add("a", "true", depends_on=["b"])
        with self.assertRaisesRegex(ValueError, "'a' waits for 'b'"):
            self.client.submit(workflow)
        workflow.jobs = [torc.Job("a", "true"), torc.Job("a", "true")]
        with self.assertRaisesRegex(ValueError, "two jobs are called 'a'"):
            self.client.submit(workflow)
        workflow.jobs = [
            torc.Job("a", "true", depends_on=["b"]),
            torc.Job("b", "true", depends_on=["a"]),
        ]
        with self.assertRaises(torc.InvalidRequest):
            self.client.submit(workflow)
        self.assertEqual(list(self.client.workflows()), [])

    def test_a_key_submits_once(self):
        workflow = self.workflow()
        workflow.add("one", "true")
        first = self.client.submit(workflow, key="night-1")
        self.assertEqual(self.client.submit(workflow, key="night-1"), first)
        with torc.Client(self.socket) as other:
            self.assertEqual(other.submit(workflow, key="night-1"), first)
        self.assertNotEqual(self.client.submit(workflow, key="night-2"), first)
        self.assertEqual(len(list(self.client.workflows())), 2)

    def test_a_snapshot_is_waited_for(self):
        target = str(self.dir / "copy.db")
        self.assertIsNone(self.client.snapshot(wait=False))
        snapshot = self.client.snapshot(path=target)
        self.assertEqual((snapshot.path, snapshot.bytes), (target, os.path.getsize(target)))
        with torc.Client(db=target) as reader:
            self.assertTrue(reader.status().read_only)
            with self.assertRaises(torc.Unavailable):
                reader.submit(self.workflow())
        with self.assertRaises(torc.NotDurable) as caught:
            self.client.snapshot(wait=LIMIT, path=os.path.join(target, "below-a-file.db"))
        self.assertIn("below-a-file.db", caught.exception.message)

    def test_snapshots_that_fail_are_warned_of_and_the_reply_comes(self):
        in_the_way = self.dir / "torc-server-snapshot.db"
        in_the_way.mkdir()
        with self.assertRaises(torc.NotDurable):
            self.client.snapshot(wait=LIMIT)
        with self.assertWarnsRegex(torc.DegradedWarning, "snapshots fail: "):
            status = self.client.status()
        self.assertEqual(status.socket, self.socket)
        in_the_way.rmdir()
        self.assertEqual(self.client.snapshot(wait=LIMIT).path, str(in_the_way))

    def test_a_torcd_that_is_killed_is_told_and_its_successor_is_found(self):
        workflow = self.workflow()
        workflow.add("one", "true")
        first = self.client.submit(workflow, key="k")
        self.client.wait(first, timeout=LIMIT)
        long = self.workflow("long")
        long.add("long", "sleep 300")
        number = self.client.submit(long)
        self.until_running(number)
        killer = threading.Timer(0, self.kill)
        with self.assertRaises(torc.Unavailable) as caught:
            killer.start()
            self.client.wait(number, timeout=LIMIT)
        killer.join()
        self.assertEqual(caught.exception.code, "unavailable")
        self.assertTrue(caught.exception.hint)
        with self.assertRaises(torc.Unavailable) as caught:
            self.client.status()
        self.start()
        self.assertEqual(self.client.submit(workflow, key="k"), first)
        self.client.cancel(number)
        self.client.wait(number, timeout=LIMIT)

    def test_without_torcctl_or_torcd_that_is_said(self):
        with torc.Client(torcctl="/nonexistent/torcctl") as client:
            with self.assertRaises(torc.Unavailable) as caught:
                client.status()
        self.assertIn("cannot start /nonexistent/torcctl", caught.exception.message)
        with torc.Client(str(self.dir / "nobody.sock")) as client:
            with self.assertRaises(torc.Unavailable) as caught:
                client.status()
        self.assertIn("no torcd is running", caught.exception.message)
        self.assertIn("torcctl daemon start", caught.exception.hint)


if __name__ == "__main__":
    unittest.main()
