// The demo's clinic as a child process: a stand-in of WeChat, five patients, a clock that runs fast.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BINARY = process.env.DOSED_BINARY;

/** Asks until the answer is true, and says what was waited for when patience ends. */
export async function eventually(what, ask, patience = 60_000) {
  const until = Date.now() + patience;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > until) throw new Error(`in vain: ${what}`);
    await new Promise((go) => setTimeout(go, 100));
  }
}

export class Clinic {
  static async open() {
    const clinic = new Clinic();
    clinic.temporary = await mkdtemp(join(tmpdir(), "dosed-browser-"));
    clinic.child = spawn(BINARY, ["demo", "--listen", "127.0.0.1:0", "--speed", "60"], {
      env: { ...process.env, TMPDIR: clinic.temporary },
      stdio: ["ignore", "pipe", "inherit"],
    });
    clinic.ended = new Promise((end) => clinic.child.once("exit", end));
    const said = [];
    for await (const line of createInterface({ input: clinic.child.stdout })) {
      said.push(line);
      const phones = line.match(/http:\/\/[0-9.:]+/);
      if (phones) clinic.phones ??= phones[0];
      const files = line.match(/ are in (\S+) \(removed/);
      if (files) {
        clinic.files = files[1];
        break;
      }
    }
    if (!clinic.phones || !clinic.files) throw new Error(`the demo says: ${said.join("\n")}`);
    clinic.config = join(clinic.files, "config.toml");
    const ready = await eventually("a daemon that is ready", () =>
      readFile(join(clinic.files, "ready"), "utf8").catch(() => ""));
    clinic.page = `http://${JSON.parse(ready).private}`;
    return clinic;
  }

  async close() {
    this.child.kill("SIGTERM");
    await this.ended;
    await rm(this.temporary, { recursive: true, force: true });
  }

  /** Runs a subcommand; what it writes. */
  dosed(arguments_, input = "") {
    return new Promise((done, failed) => {
      const child = spawn(BINARY, [...arguments_, "--config", this.config], {
        stdio: ["pipe", "pipe", "pipe"],
      });
      let [out, error] = ["", ""];
      child.stdout.on("data", (data) => (out += data));
      child.stderr.on("data", (data) => (error += data));
      child.once("exit", (code) =>
        code === 0 ? done(out) : failed(new Error(`dosed ${arguments_.join(" ")}: ${code}\n${error}`)));
      child.stdin.end(input);
    });
  }

  /** Somebody writes on their phone. */
  async write(openid, text) {
    const answer = await fetch(`${this.phones}/phone/do`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ openid, do: "write", text }),
    });
    if (!answer.ok) throw new Error(`the phone does not write: ${answer.status}`);
  }

  /** Waits for words on somebody's phone; how often they are there. */
  async read(openid, words) {
    return eventually(`"${words}" on the phone of ${openid}`, async () => {
      const state = await (await fetch(`${this.phones}/phone/state`)).json();
      const messages = state.messages.filter((it) => it.to === openid);
      return messages.filter((it) => JSON.stringify(it).includes(words)).length;
    });
  }
}
