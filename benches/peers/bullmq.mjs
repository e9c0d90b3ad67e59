// BullMQ: delayed jobs, one queue. `fill` puts them in, `work` is one worker process.
import { Queue, Worker } from "bullmq";
import { bodies, concurrency, due, post, say } from "./post.mjs";

const connection = { path: process.env.REDIS_SOCKET, maxRetriesPerRequest: null };

if (process.argv[2] === "fill") {
  const queue = new Queue("reminders", { connection });
  const options = { removeOnComplete: true };
  for (let at = 0; at < bodies.length; at += 1000) {
    const jobs = bodies.slice(at, at + 1000).map((body) => ({
      name: "reminder",
      data: { body },
      opts: { ...options, delay: Math.max(0, due - Date.now()) },
    }));
    await queue.addBulk(jobs);
  }
  await queue.close();
  say("filled");
} else {
  const worker = new Worker("reminders", (job) => post(job.data.body), {
    connection,
    concurrency,
  });
  await worker.waitUntilReady();
  say("ready");
}
