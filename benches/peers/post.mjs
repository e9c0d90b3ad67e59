// The bodies, and how a job posts one of them: over kept-alive connections, without a library that
// adds to it.
import { Agent, request } from "node:http";
import { readFileSync } from "node:fs";

export const bodies = readFileSync(process.env.BODIES, "utf8").split("\n").filter(Boolean);
export const concurrency = Number(process.env.CONCURRENCY);
export const due = Number(process.env.DUE_MS);
export const port = Number(process.env.SINK_PORT);

const agent = new Agent({ keepAlive: true, maxSockets: concurrency, noDelay: true });

export function post(body) {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        agent,
        host: "127.0.0.1",
        port,
        method: "POST",
        path: "/cgi-bin/message/template/send?access_token=token",
        headers: {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
        },
      },
      (answer) => {
        const parts = [];
        answer.on("data", (part) => parts.push(part));
        answer.on("end", () => {
          const reply = JSON.parse(Buffer.concat(parts).toString());
          if (reply.errcode === 0) resolve();
          else reject(new Error(`errcode ${reply.errcode}`));
        });
        answer.on("error", reject);
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

// What the bench waits for.
export function say(word) {
  process.stdout.write(`${word}\n`);
}
