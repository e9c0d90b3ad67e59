// graphile-worker: jobs with a `run_at`, taken in batches into a local queue, as its documentation
// advises for speed. `fill` puts them in, `work` is one worker process.
import { makeWorkerUtils, run } from "graphile-worker";
import { bodies, concurrency, due, post, say } from "./post.mjs";

const connectionString = process.env.POSTGRES;

if (process.argv[2] === "fill") {
  const utils = await makeWorkerUtils({ connectionString });
  await utils.migrate();
  for (let at = 0; at < bodies.length; at += 1000) {
    const jobs = bodies.slice(at, at + 1000).map((body) => ({
      identifier: "reminder",
      payload: { body },
      runAt: new Date(due),
      maxAttempts: 1,
    }));
    await utils.addJobs(jobs);
  }
  await utils.release();
  say("filled");
} else {
  const quiet = { debug() {}, info() {}, warn() {}, error: console.error };
  const { Logger } = await import("graphile-worker");
  await run({
    preset: {
      worker: {
        connectionString,
        concurrentJobs: concurrency,
        maxPoolSize: 10,
        pollInterval: 100,
        localQueue: { size: 500 },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
        logger: new Logger(() => (level, message) => quiet[level]?.(message)),
      },
    },
    taskList: { reminder: ({ body }) => post(body) },
  });
  say("ready");
}
