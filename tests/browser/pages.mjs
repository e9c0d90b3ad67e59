// The doctor's page as its users see it: each page in both languages on a phone and on a laptop,
// without an error on the console and without a serious fault of accessibility; and what is done
// there.
import assert from "node:assert/strict";
import { eventually } from "./clinic.mjs";
import {
  PASSWORD, SIZES, clinic, dressed, judge, open, picture, signIn, test, tests,
} from "./doctors_page.mjs";

const PAGES = {
  today: ["/today", "Today", "今天"],
  missed: ["/today?show=missed", "Today", "今天"],
  calls: ["/calls", "Call list", "电话名单"],
  inbox: ["/inbox", "Inbox", "收件箱"],
  plans: ["/plans", "Plans", "用药计划"],
  system: ["/system", "System", "系统"],
  audit: ["/system/audit", "Who saw and did what", "访问记录"],
};

await tests(async () => {
  for (const [name, role] of [["hao", "doctor"], ["lin", "nurse"], ["chen", "viewer"]]) {
    await clinic.dosed(["user", "add", name, "--role", role], `${PASSWORD}\n`);
  }
  // At eight somebody is reminded; then somebody writes what no question asked for, and somebody
  // writes what cannot wait.
  await clinic.read("o-demo-zhang-jianguo", "二甲双胍");
  await clinic.write("o-demo-li-guifang", "最近总是睡不好，可以吃褪黑素吗");
  await clinic.write("o-demo-wang-xiulan", "胸痛，喘不上气");
  await eventually("both in the inbox", async () =>
    (await clinic.dosed(["inbox"])).trim().split("\n").length === 2);

  await test("nobody who is not signed in sees anything", async () => {
    const page = await open("phone", "en");
    for (const [path] of Object.values(PAGES)) {
      await page.goto(clinic.page + path);
      assert.match(page.url(), /\/sign-in/, path);
      assert.doesNotMatch(await page.content(), /王秀兰|李桂芳/, path);
    }
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  for (const [scheme, language] of [["light", "en-GB"], ["dark", "zh-CN"]]) {
    for (const size of Object.keys(SIZES)) {
      await test(`every page, ${language}, ${size}, ${scheme}`, async () => {
        const page = await open(size, language, { scheme });
        await page.goto(`${clinic.page}/sign-in`);
        await judge(page, "signing in");
        await signIn(page, "hao");
        for (const [name, [path, english, chinese]] of Object.entries(PAGES)) {
          const answer = await page.goto(clinic.page + path);
          assert.equal(answer.status(), 200, path);
          dressed(answer);
          const title = await page.textContent("h1");
          assert.equal(title, language === "zh-CN" ? chinese : english, path);
          assert.equal(await page.getAttribute("html", "lang"), language === "zh-CN" ? "zh-CN" : "en");
          for (const folded of await page.$$("details > summary")) await folded.click();
          await judge(page, `${path} ${language} ${size}`);
          await picture(page, `${name}-${language}-${size}`);
        }
        assert.deepEqual(page.errors, []);
        await page.context().close();
      });
    }
  }

  await test("the language is switched and stays", async () => {
    const page = await open("laptop", "en-GB");
    await signIn(page, "chen");
    await page.click("a[hreflang=zh-CN]");
    assert.equal(await page.textContent("h1"), "今天");
    await page.goto(`${clinic.page}/calls`);
    assert.equal(await page.textContent("h1"), "电话名单");
    await page.click("a[hreflang=en]");
    assert.equal(await page.textContent("h1"), "Call list");
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  await test("what the last edits changed stands with them", async () => {
    const page = await open("phone", "zh-CN");
    await signIn(page, "chen");
    await page.goto(`${clinic.page}/plans`);
    const edit = page.locator("article", { hasText: "王秀兰" }).first();
    assert.match(await edit.locator("ins").first().textContent(), /^\+ /);
    await edit.locator("a[href$='/plans']").click();
    await page.waitForURL(/\/patients\/wang-xiulan\/plans/);
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  await test("all of it works with the keyboard", async () => {
    const page = await open("laptop", "en-GB");
    await signIn(page, "hao");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "content");
    await page.focus("nav a[href='/inbox']");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/inbox/);
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  await test("what cannot wait is first, and is answered from the inbox, once", async () => {
    const page = await open("phone", "zh-CN");
    await signIn(page, "lin");
    await page.goto(`${clinic.page}/inbox`);
    const first = page.locator("article").first();
    assert.match(await first.textContent(), /王秀兰[^]*紧急[^]*胸痛/);
    const answer = "请马上拨打120，我现在给您家里打电话";
    await first.locator("summary").click();
    await first.locator("textarea").fill(answer);
    await first.locator("button").click();
    await page.waitForURL(/said=sent/);
    assert.match(await page.textContent("[role=status]"), /回复正在发送/);
    assert.match(await page.textContent("main"), new RegExp(`诊所已回复[^]*lin[^]*${answer}`));
    assert.equal(await clinic.read("o-demo-wang-xiulan", answer), 1);
    // The same form once more, as a browser sends it that goes back and is pressed again.
    await page.goBack();
    await page.goForward();
    const journal = await clinic.dosed(["export", "journal"]);
    assert.equal(journal.split(answer).length - 1, 1);
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  await test("an answer that is sent twice goes once", async () => {
    const page = await open("laptop", "en-GB");
    await signIn(page, "hao");
    await page.goto(`${clinic.page}/inbox`);
    const form = page.locator("article", { hasText: "褪黑素" }).locator("form");
    const text = "先不要吃，明天来门诊";
    const fields = await form.evaluate((it) => [...new FormData(it)]);
    const body = new URLSearchParams(fields);
    body.set("text", text);
    const sent = await page.evaluate(async (body) => {
      const send = () => fetch("/inbox/answer", {
        method: "POST", body, headers: { "content-type": "application/x-www-form-urlencoded" },
      });
      return (await Promise.all([send(), send(), send()])).map((it) => it.url);
    }, body.toString());
    assert.equal(sent.filter((url) => url.includes("said=sent")).length, 1, sent.join());
    assert.equal(sent.filter((url) => url.includes("said=again")).length, 2, sent.join());
    assert.equal(await clinic.read("o-demo-li-guifang", text), 1);
    const journal = await clinic.dosed(["export", "journal"]);
    assert.equal(journal.split(text).length - 1, 1);
    await page.context().close();
  });

  await test("whoever writes an answer and goes elsewhere is asked first", async () => {
    const page = await open("laptop", "en-GB");
    await signIn(page, "lin");
    await page.goto(`${clinic.page}/inbox`);
    const card = page.locator("article").first();
    await card.locator("summary").click();
    await card.locator("textarea").fill("还没写完");
    for (const away of [".who a[hreflang]", ".who form button"]) {
      const asked = page.waitForEvent("dialog");
      await Promise.all([
        page.locator(away).click({ noWaitAfter: true }),
        asked.then((dialog) => {
          assert.equal(dialog.type(), "beforeunload");
          return dialog.dismiss();
        }),
      ]);
      assert.match(page.url(), /\/inbox$/, away);
      assert.equal(await card.locator("textarea").inputValue(), "还没写完", away);
    }
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  await test("a call is marked as done, with a note", async () => {
    const page = await open("laptop", "en-GB");
    await signIn(page, "lin");
    await page.goto(`${clinic.page}/calls`);
    const card = page.locator("article", { hasText: "王秀兰" });
    assert.match(await card.textContent(), /cannot wait/);
    await card.locator("summary").click();
    await card.locator("textarea").fill("家属已送医院");
    await card.locator("button").click();
    await page.waitForURL(/said=done/);
    assert.equal(await page.locator("article", { hasText: "王秀兰" }).count(), 0);
    assert.match(await clinic.dosed(["export", "journal"]), /家属已送医院/);
    assert.doesNotMatch(await clinic.dosed(["calls"]), /wang-xiulan/);
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  await test("a viewer reads and does nothing else", async () => {
    const page = await open("laptop", "en-GB");
    await signIn(page, "chen");
    for (const path of ["/inbox", "/calls"]) {
      await page.goto(clinic.page + path);
      assert.equal(await page.locator("main form").count(), 0, path);
    }
    const csrf = await page.inputValue("input[name=csrf]");
    const status = await page.evaluate(async (csrf) => {
      const body = new URLSearchParams({ csrf, patient: "wang-xiulan", text: "no" });
      return (await fetch("/inbox/answer", { method: "POST", body })).status;
    }, csrf);
    assert.equal(status, 403);
    const answer = await page.goto(`${clinic.page}/system/audit`);
    assert.equal(answer.status(), 403);
    await page.context().close();
  });

  await test("what is new appears without loading, and nobody is disturbed who writes", async () => {
    const page = await open("laptop", "en-GB");
    await signIn(page, "hao");
    await page.goto(`${clinic.page}/inbox`);
    const before = await page.locator("article").count();
    await clinic.write("o-demo-zhang-jianguo", "我明天要出差一周");
    await page.waitForFunction(
      (before) => document.querySelectorAll("article").length > before, before, { timeout: 40_000 });
    const card = page.locator("article", { hasText: "出差" });
    await card.locator("summary").click();
    await card.locator("textarea").fill("好的，");
    await clinic.write("o-demo-emma-miller", "Is it fine to swim?");
    await eventually("it is in the inbox", async () =>
      (await clinic.dosed(["inbox"])).includes("fine to swim"));
    const answered = page.waitForResponse((it) => it.request().headers()["x-dosed-live"] === "1",
      { timeout: 40_000 });
    await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await Promise.race([answered, new Promise((go) => setTimeout(go, 1_000))]);
    assert.equal(await card.locator("textarea").inputValue(), "好的，");
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  await test("who saw and did what is kept", async () => {
    const audit = (await clinic.dosed(["export", "audit"])).trim().split("\n").map((it) => JSON.parse(it));
    const has = (want) => audit.some((it) => Object.entries(want).every(([key, value]) => it[key] === value));
    assert.ok(has({ account: "lin", what: "answer", patient: "wang-xiulan", outcome: "done" }));
    assert.ok(has({ account: "lin", what: "call_done", patient: "wang-xiulan", outcome: "done" }));
    assert.ok(has({ account: "chen", what: "answer", outcome: "not_allowed" }));
    assert.ok(has({ account: "chen", what: "today", outcome: "" }));
  });
});
