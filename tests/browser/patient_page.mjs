// The patient's page in a phone's browser: the built daemon on the console, its links opened as
// WeChat's browser opens them, everything tapped with a thumb, and axe-core's judgement of each state.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const modules = process.env.NODE_MODULES;
const require = createRequire(pathToFileURL(join(modules, "x.js")));
const { chromium } = require("playwright-core");
const axe = readFileSync(join(modules, "axe-core", "axe.min.js"), "utf8");
const pictureDirectory = process.env.PICTURES;

const PHONE = {
  viewport: { width: 360, height: 740 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
  userAgent:
    "Mozilla/5.0 (Linux; Android 9; V1829A Build/PKQ1; wv) AppleWebKit/537.36 (KHTML, like Gecko) " +
    "Version/4.0 Chrome/66.0.3359.126 MQQBrowser/6.2 TBS/45016 Mobile Safari/537.36 " +
    "MMWEBID/1 MicroMessenger/8.0.16.2040(0x28001053) Process/tools WeChat/arm64 NetType/4G Language/zh_CN",
};

// Due at the next full minute, by the clinic's clock, which shows UTC.
function plans(minute) {
  const chinese = `
name = "王秀兰"
[[medication]]
name = "盐酸二甲双胍缓释片"
short = "二甲双胍"
take = "1片"
at = "${minute}"
note = "饭后服用"
[[medication]]
name = "氨氯地平"
take = "1片"
at = "${minute}"
[[medication]]
name = "布洛芬"
take = "1片"
as_needed = "头痛"
at_most = "3 a day"
apart = "6 hours"
[[check_in]]
id = "pressure"
ask = "今天血压？"
answer = "血压"
at = "${minute}"
[[check_in]]
id = "sleep"
ask = "睡得好吗？"
answer = "one of: 好, 一般, 差"
at = "${minute}"
[[check_in]]
id = "dizzy"
ask = "头晕吗？"
answer = "yes/no"
at = "${minute}"
[[check_in]]
id = "pain"
ask = "疼吗？0到10"
answer = "scale 0 to 10"
at = "${minute}"
[[check_in]]
id = "sugar"
ask = "空腹血糖？"
answer = "血糖"
at = "${minute}"
[[check_in]]
id = "words"
ask = "哪里不舒服？"
answer = "text"
at = "${minute}"
`;
  const english = `
name = "Li Lei"
language = "en"
[[medication]]
name = "Warfarin"
take = "1 tablet"
at = "${minute}"
`;
  return { wang: chinese, li: english };
}

class Daemon {
  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), "dosed-page-"));
    mkdirSync(join(this.directory, "plans.d"));
    // A moment ahead: the daemon needs some seconds to begin.
    const due = new Date(Date.now() + 75_000).toISOString().slice(11, 16);
    for (const [patient, plan] of Object.entries(plans(due))) {
      writeFileSync(join(this.directory, "plans.d", `${patient}.toml`), plan);
    }
    const port = 20_000 + (process.pid % 12_000);
    const config = `
[clinic]
name = "郝医生诊所"
timezone = "UTC"
emergency_number = "120"
[http]
private = "127.0.0.1:0"
public = "127.0.0.1:${port}"
public_url = "http://127.0.0.1:${port}"
[messaging]
channel = "console"
format = "json"
`;
    const path = join(this.directory, "dosed.toml");
    writeFileSync(path, config);
    this.process = spawn(process.env.DOSED_BINARY, ["run", "--config", path], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.lines = createInterface({ input: this.process.stdout });
    this.base = `http://127.0.0.1:${port}`;
    this.config = path;
  }

  // The link of the first message to each patient.
  links(names) {
    return new Promise((done, fail) => {
      const late = setTimeout(() => fail(new Error("no links came")), 180_000);
      const links = {};
      this.process.on("exit", () => fail(new Error("the daemon has ended")));
      this.lines.on("line", (line) => {
        const message = JSON.parse(line);
        if (message.link) links[message.patient] ??= message.link;
        if (names.every((name) => links[name])) {
          clearTimeout(late);
          done(links);
        }
      });
    });
  }

  async stop() {
    this.process.removeAllListeners("exit");
    const ended = new Promise((done) => this.process.once("exit", done));
    this.process.kill("SIGTERM");
    await ended;
    rmSync(this.directory, { recursive: true, force: true });
  }
}

let pictures = 0;

// What must hold of each state of the page.
async function judge(page, name) {
  if (pictureDirectory) {
    mkdirSync(pictureDirectory, { recursive: true });
    const path = join(pictureDirectory, `patient-${String(++pictures).padStart(2, "0")}-${name}.png`);
    await page.screenshot({ path, fullPage: true });
  }
  await page.evaluate(() => document.querySelectorAll("details").forEach((it) => (it.open = true)));
  await page.evaluate(axe);
  const found = await page.evaluate(() =>
    axe.run(document, { resultTypes: ["violations"] }).then((it) =>
      it.violations.map((v) => ({
        id: v.id,
        impact: v.impact,
        nodes: v.nodes.map((n) => n.html.slice(0, 120)),
      })),
    ),
  );
  const grave = found.filter((it) => ["serious", "critical"].includes(it.impact));
  assert.deepEqual(grave, [], `${name}: axe-core`);
  const layout = await page.evaluate(() => {
    const shown = (it) => it.offsetParent;
    const touched =
      "button, summary, input:not([type=hidden]):not([type=radio]), textarea, a";
    const low = [...document.querySelectorAll(touched)].filter(
      (it) => shown(it) && it.getBoundingClientRect().height < 48,
    );
    const small = [...document.querySelectorAll("body *")].filter(
      (it) => shown(it) && it.textContent.trim() && parseFloat(getComputedStyle(it).fontSize) < 20,
    );
    const words = (all) => all.map((it) => it.outerHTML.slice(0, 80));
    return {
      wide: document.documentElement.scrollWidth - window.innerWidth,
      low: words(low),
      small: words(small),
      styled: getComputedStyle(document.body).fontSize,
    };
  });
  assert.ok(layout.wide <= 0, `${name} is wider than the phone by ${layout.wide}`);
  assert.deepEqual(layout.low, [], `${name}: too low for a thumb`);
  assert.deepEqual(layout.small, [], `${name}: too small to read`);
  assert.equal(layout.styled, "22px", `${name}: the style is not applied`);
}

async function says(page, words) {
  const text = await page.innerText("body");
  assert.ok(text.includes(words), `"${words}" is not in:\n${text}`);
}

async function lacks(page, words) {
  const text = await page.innerText("body");
  assert.ok(!text.includes(words), `"${words}" is in:\n${text}`);
}

// Taps the first of these that shows the words, and waits for the page that follows.
async function press(page, selector, words = "") {
  const loaded = page.waitForEvent("load");
  await page.locator(selector, { hasText: words }).locator("visible=true").first().tap();
  await loaded;
}

const daemon = new Daemon();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
try {
  const links = await daemon.links(["王秀兰", "Li Lei"]);
  const context = await browser.newContext(PHONE);
  const page = await context.newPage();
  const errors = [];
  const requests = [];
  page.on("console", (line) => {
    // That an answer could not be read is an answer, too.
    const expected = line.text().includes("status of 422") || line.text().includes("status of 404");
    if (["error", "warning"].includes(line.type()) && !expected) errors.push(line.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("request", (request) => requests.push(request.url()));

  await page.goto(links["王秀兰"]);
  await says(page, "盐酸二甲双胍缓释片");
  await says(page, "饭后服用");
  assert.equal(await page.getAttribute("html", "lang"), "zh-CN");
  await judge(page, "first");

  await page.goto(links["王秀兰"]);
  await press(page, "button", "全部已服");
  await says(page, "已服用");
  await judge(page, "taken");
  await page.goBack();
  await lacks(page, "全部已服");

  const pressure = async (upper, lower) => {
    await page.fill("input[name=upper]", upper);
    await page.fill("input[name=lower]", lower);
    await press(page, "form:has([name=upper]) button");
  };
  await pressure("1350", "85");
  await says(page, "没有看懂");
  await judge(page, "unreadable");
  await pressure("135", "85");
  await says(page, "135/85");
  await press(page, "button[name=choice]", "一般");
  await says(page, "睡得好吗？ 一般");
  await press(page, "button[name=yes]", "否");
  await says(page, "头晕吗？ 否");
  await press(page, ".scale button", "7");
  await says(page, "疼吗？0到10 7");
  await page.fill("input[name=value]", "6.5");
  await press(page, "form:has(input[name=value]) button");
  await says(page, "6.5");
  await page.fill("textarea", "腿有点酸");
  await press(page, "form:has(textarea) button");
  await says(page, "腿有点酸");
  await says(page, "现在没有要回答的");

  await press(page, "button", "我用了一次");
  await says(page, "以后再用");
  await judge(page, "answered");

  // A correction: the first of what is noted, left out after all.
  await page.goto(links["王秀兰"]);
  await page.locator("summary", { hasText: "更改…" }).first().tap();
  await page.locator("details[open] summary", { hasText: "这次不服…" }).first().tap();
  await page.locator("label.pick", { hasText: "身体不舒服" }).locator("visible=true").first().tap();
  await press(page, "button.skipped");
  await says(page, "没有服（您说不服）");
  await judge(page, "corrected");

  await page.goto(links["Li Lei"]);
  assert.equal(await page.getAttribute("html", "lang"), "en");
  await judge(page, "english");
  await page.goto(links["Li Lei"]);
  await press(page, "button", "half an hour");
  await says(page, "reminded again");
  await judge(page, "later");

  await page.goto(`${daemon.base}/p/${"A".repeat(39)}`);
  await says(page, "answer there");
  await says(page, "微信对话");
  await judge(page, "no-page");

  // All of it without a script, as in the oldest browsers.
  const plain = await browser.newContext({ ...PHONE, javaScriptEnabled: false });
  const old = await plain.newPage();
  await old.goto(links["Li Lei"]);
  await press(old, "button.taken", "Taken");
  await says(old, "Noted as taken");

  assert.deepEqual(errors, [], "the console stays empty");
  const own = (url) => url.startsWith(daemon.base) || url.startsWith("data:");
  assert.deepEqual(requests.filter((url) => !own(url)), [], "nothing is asked for elsewhere");
  console.log("ok      the patient's page in a phone's browser");
} finally {
  await browser.close();
  await daemon.stop();
}
