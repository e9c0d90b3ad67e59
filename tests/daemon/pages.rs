//! The pages for the clinic's people: who is let in, and what is refused.

use crate::support::{Answer, Daemon, World, eventually, metric, request, send};
use dosed::engine::Role;
use dosed::http::page::routes;
use std::io::Write;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const PASSWORD: &str = "correct horse battery";

/// A clinic in which somebody may sign in.
pub async fn world_with(accounts: &[(&str, &str)]) -> (World, Daemon) {
    let world = World::new().await;
    world.patient(
        "wang",
        "王秀兰",
        &[("二甲双胍", "take = \"1片\"\nat = \"08:00\"")],
    );
    let daemon = world.start().await;
    for (name, role) in accounts {
        assert_eq!(
            user(&world, &["add", name, "--role", role], PASSWORD).await,
            0
        );
    }
    (world, daemon)
}

/// `dosed user …` with a password on standard input; the exit code.
async fn user(world: &World, arguments: &[&str], password: &str) -> i32 {
    let mut command = world.command(&[&["user"], arguments].concat());
    let password = format!("{password}\n");
    let ended = tokio::task::spawn_blocking(move || {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the built binary starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        // It may have refused before it asks.
        let _ = stdin.write_all(password.as_bytes());
        drop(stdin);
        child.wait_with_output().expect("a child can be waited for")
    });
    let ended = ended.await.expect("waiting for a child does not panic");
    ended.status.code().expect("it ends by itself")
}

/// A browser that is signed in.
pub struct Browser<'d> {
    daemon: &'d Daemon,
    cookie: String,
}

impl<'d> Browser<'d> {
    pub async fn sign_in(daemon: &'d Daemon, name: &str) -> Self {
        let answer = sign_in(daemon, name, PASSWORD).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        let cookie = answer.header("set-cookie").expect("a session begins");
        for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        let (cookie, _) = cookie.split_once(';').expect("it has attributes");
        Self {
            daemon,
            cookie: cookie.to_owned(),
        }
    }

    /// What it sends with each request.
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path).await
    }

    /// With another method and without a form.
    pub async fn ask(&self, method: &str, path: &str) -> Answer {
        let head = [("Cookie", self.cookie.as_str())];
        request(self.daemon.private(), method, path, &head, "").await
    }

    pub async fn post(&self, path: &str, site: &str, form: &str) -> Answer {
        let head = [("Cookie", self.cookie.as_str()), ("Sec-Fetch-Site", site)];
        request(self.daemon.private(), "POST", path, &head, form).await
    }

    /// The token that the forms of a page carry.
    pub async fn token(&self, path: &str) -> String {
        let page = self.get(path).await.body;
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").expect("a form");
        rest.split('"').next().expect("a value").to_owned()
    }
}

async fn sign_in(daemon: &Daemon, name: &str, password: &str) -> Answer {
    let form = format!("name={name}&password={}", password.replace(' ', "+"));
    let head = [("Sec-Fetch-Site", "same-origin")];
    request(daemon.private(), "POST", "/sign-in", &head, &form).await
}

async fn counted(daemon: &Daemon, event: &str) -> f64 {
    let label = format!("event=\"{event}\"");
    metric(
        &daemon.metrics().await,
        "dosed_page_events_total",
        &[&label],
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_account_there_is_no_page_and_with_one_nobody_comes_in_who_is_not_signed_in() {
    let (world, daemon) = world_with(&[]).await;
    for path in ["/", "/sign-in", "/system", "/no-such"] {
        let answer = daemon.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains("dosed user add"), "{}", answer.body);
    }
    assert_eq!(daemon.get("/livez").await.status, 200);
    assert_eq!(
        user(&world, &["add", "hao", "--role", "doctor"], "too short").await,
        64
    );
    assert_eq!(
        user(&world, &["add", "Hao", "--role", "doctor"], PASSWORD).await,
        64
    );
    assert_eq!(
        user(&world, &["add", "hao", "--role", "doctor"], PASSWORD).await,
        0
    );
    assert_eq!(
        user(&world, &["add", "hao", "--role", "viewer"], PASSWORD).await,
        1
    );

    let answer = daemon.get("/system").await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("location"), Some("/sign-in?next=%2Fsystem"));
    let answer = daemon.get("/sign-in").await;
    assert_eq!(answer.status, 200);
    assert!(!answer.body.contains("王秀兰"));
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for inline in ["<style", "style=", "onclick", "javascript:"] {
        assert!(!answer.body.contains(inline), "{inline}");
    }
    assert_eq!(
        request(daemon.private(), "POST", "/sign-out", &[], "")
            .await
            .status,
        401
    );
    assert!(counted(&daemon, "signed_out").await >= 2.0);

    let browser = Browser::sign_in(&daemon, "hao").await;
    assert_eq!(browser.get("/system").await.status, 200);
    let forged = Browser {
        daemon: &daemon,
        cookie: "dosed_session=0000".to_owned(),
    };
    assert_eq!(forged.get("/system").await.status, 303);
    assert_eq!(daemon.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_that_is_not_ours_does_nothing() {
    let (_world, daemon) = world_with(&[("hao", "doctor")]).await;
    let browser = Browser::sign_in(&daemon, "hao").await;
    let token = browser.token("/system").await;
    let form = format!("csrf={token}");
    for (site, form) in [
        ("cross-site", form.as_str()),
        ("same-site", &form),
        ("same-origin", ""),
        ("same-origin", "csrf=0000"),
    ] {
        let answer = browser.post("/sign-out", site, form).await;
        assert_eq!(answer.status, 403, "{site} {form}");
        assert_eq!(browser.get("/system").await.status, 200, "still signed in");
    }
    // An older browser names the origin, or nothing at all.
    let cookie = ("Cookie", browser.cookie.as_str());
    let address = daemon.private().to_owned();
    for head in [
        vec![cookie],
        vec![cookie, ("Origin", "http://evil.example")],
    ] {
        assert_eq!(
            request(&address, "POST", "/sign-out", &head, &form)
                .await
                .status,
            403
        );
    }
    assert_eq!(counted(&daemon, "forged").await, 6.0);
    let other = Browser::sign_in(&daemon, "hao").await;
    assert_eq!(
        other.post("/sign-out", "same-origin", &form).await.status,
        403,
        "each session has a token of its own"
    );
    let origin = format!("http://{address}");
    let head = [cookie, ("Origin", origin.as_str())];
    assert_eq!(
        request(&address, "POST", "/sign-out", &head, &form)
            .await
            .status,
        303
    );
    assert_eq!(browser.get("/system").await.status, 303, "signed out");
    assert_eq!(other.get("/system").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_password_or_the_end_of_an_account_signs_out() {
    let (world, daemon) = world_with(&[("hao", "doctor"), ("lin", "nurse")]).await;
    let (hao, lin) = (
        Browser::sign_in(&daemon, "hao").await,
        Browser::sign_in(&daemon, "lin").await,
    );
    assert_eq!(
        user(&world, &["password", "hao"], "another long password").await,
        0
    );
    assert_eq!(hao.get("/system").await.status, 303);
    assert_eq!(lin.get("/system").await.status, 200);
    assert_eq!(sign_in(&daemon, "hao", PASSWORD).await.status, 403);
    assert_eq!(
        sign_in(&daemon, "hao", "another long password")
            .await
            .status,
        303
    );
    assert_eq!(user(&world, &["remove", "lin"], "").await, 0);
    assert_eq!(lin.get("/system").await.status, 303);
    assert_eq!(user(&world, &["remove", "lin"], "").await, 1);
    let again = sign_in(&daemon, "hao", "another long password").await;
    let cookie = again.header("set-cookie").expect("a session begins");
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    assert_eq!(daemon.stop().await.code(), Some(0));

    // Without a daemon the store is changed.
    assert_eq!(
        user(&world, &["add", "chen", "--role", "viewer"], PASSWORD).await,
        0
    );
    let output = world.cli(&["user", "list"]).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("chen  viewer  since "), "{text}");
    assert_eq!(text.lines().count(), 2, "{text}");
    let daemon = world.start().await;
    let before = Browser {
        daemon: &daemon,
        cookie,
    };
    assert_eq!(
        before.get("/system").await.status,
        303,
        "a restart signs out"
    );
    Browser::sign_in(&daemon, "chen").await;
    assert_eq!(daemon.stop().await.code(), Some(0));
    let output = world.cli(&["export", "audit"]).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for (what, account, outcome) in [
        ("account_add", "hao", "done"),
        ("sign_in", "hao", "refused"),
        ("sign_in", "lin", "done"),
        ("system", "lin", ""),
        ("account_password", "hao", "done"),
        ("account_remove", "lin", "done"),
        ("account_add", "chen", "done"),
        ("sign_in", "chen", "done"),
    ] {
        let has = text.lines().any(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            line["what"] == what && line["account"] == account && line["outcome"] == outcome
        });
        assert!(has, "{what} {account} {outcome} in {text}");
    }
    let output = world.cli(&["fsck"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_tries_are_refused_alike_and_counted_and_nothing_waits_for_them() {
    let (world, daemon) = world_with(&[("hao", "doctor")]).await;
    let before = Browser::sign_in(&daemon, "hao").await;
    let known = sign_in(&daemon, "hao", "a wrong password").await;
    let unknown = sign_in(&daemon, "oah", "a wrong password").await;
    assert_eq!((known.status, unknown.status), (403, 403));
    assert_eq!(known.body.replace("hao", "oah"), unknown.body);
    let at_rest = metric(
        &daemon.metrics().await,
        "process_resident_memory_bytes",
        &[],
    );
    let address = daemon.private().to_owned();
    let mut tasks = Vec::new();
    for task in 0..20 {
        let address = address.clone();
        tasks.push(tokio::spawn(async move {
            let mut statuses = Vec::new();
            for n in 0..500 {
                // Half of them for the account that there is.
                let name = if n % 2 == 0 {
                    "hao".to_owned()
                } else {
                    format!("n{task}-{n}")
                };
                let form = format!("name={name}&password=guess-{n}");
                let head = [("Sec-Fetch-Site", "same-origin")];
                let answer = request(&address, "POST", "/sign-in", &head, &form).await;
                statuses.push(answer.status);
            }
            statuses
        }));
    }
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.extend(task.await.expect("it does not panic"));
    }
    assert_eq!(statuses.len(), 10_000);
    assert!(
        statuses.iter().all(|status| matches!(status, 403 | 429)),
        "{statuses:?}"
    );
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert!(refused > 9_000, "{refused} were refused unseen");
    assert_eq!(counted(&daemon, "too_many_tries").await, refused as f64);
    assert_eq!(
        counted(&daemon, "wrong_password").await,
        (10_002 - refused) as f64
    );
    assert_eq!(daemon.get("/livez").await.status, 200);
    assert_eq!(
        before.get("/system").await.status,
        200,
        "who is in stays in"
    );
    // Whoever comes from elsewhere gets in with the same name.
    let head = [
        ("Sec-Fetch-Site", "same-origin"),
        ("X-Forwarded-For", "203.0.113.9"),
    ];
    let form = format!("name=hao&password={}", PASSWORD.replace(' ', "+"));
    let elsewhere = request(daemon.private(), "POST", "/sign-in", &head, &form).await;
    assert_eq!(elsewhere.status, 303, "{elsewhere:?}");
    assert_eq!(sign_in(&daemon, "hao", PASSWORD).await.status, 429);
    let memory = "process_resident_memory_bytes";
    let grown = metric(&daemon.metrics().await, memory, &[]) - at_rest;
    assert!(grown < 48e6, "it holds {grown} bytes more");
    // The reminder of eight o'clock left meanwhile, or leaves now.
    eventually("the reminder", async || {
        (world.sandbox.inbox("o-wang").len() == 1).then_some(())
    })
    .await;
    assert_eq!(daemon.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_long_too_slow_or_elsewhere_is_refused_and_does_no_harm() {
    let (_world, daemon) = world_with(&[("hao", "doctor")]).await;
    let browser = Browser::sign_in(&daemon, "hao").await;
    let address = daemon.private().to_owned();

    let long = format!("csrf={}", "a".repeat(64 * 1024));
    assert_eq!(
        browser.post("/sign-out", "same-origin", &long).await.status,
        413
    );
    let head = [("Sec-Fetch-Site", "same-origin")];
    assert_eq!(
        request(&address, "POST", "/sign-in", &head, &long)
            .await
            .status,
        413
    );
    assert_eq!(counted(&daemon, "too_long").await, 2.0);
    let head = format!(
        "GET /system HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n",
        "a".repeat(64 * 1024)
    );
    assert_eq!(send(&address, head.as_bytes()).await.status, 431);

    for path in [
        "/../dosed.toml",
        "/assets/../dosed.toml",
        "/assets/%2e%2e/dosed.toml",
        "/assets/..%2f..%2fdosed.toml",
        "/assets/page.css/../../dosed.redb",
        "//etc/passwd",
        "/system/../../etc/passwd",
        "/system%00",
    ] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        for secret in ["[clinic]", "root:", "wxsandbox"] {
            assert!(!answer.body.contains(secret), "{path}");
        }
    }

    // Clients that say the beginning of something and then nothing more.
    let mut slow = Vec::new();
    for n in 0..200 {
        let mut stream = TcpStream::connect(&address).await.expect("it listens");
        let part = match n % 3 {
            0 => "",
            1 => "GET /system HTT",
            _ => {
                "POST /sign-in HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 30\r\n\r\nname="
            }
        };
        stream
            .write_all(part.as_bytes())
            .await
            .expect("it is let in");
        slow.push(stream);
    }
    assert_eq!(browser.get("/system").await.status, 200);
    assert_eq!(daemon.get("/livez").await.status, 200);
    for mut stream in slow {
        let mut rest = Vec::new();
        // Ends when the daemon has had enough, not when we have.
        let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest);
        let ended = tokio::time::timeout(std::time::Duration::from_secs(60), read).await;
        assert!(ended.is_ok(), "a slow client is held on to");
    }
    assert!(counted(&daemon, "too_slow").await > 0.0);
    assert_eq!(daemon.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_route_lets_nobody_through_who_may_not() {
    let accounts = [("hao", "doctor"), ("lin", "nurse"), ("chen", "viewer")];
    let (_world, daemon) = world_with(&accounts).await;
    let doctor = Browser::sign_in(&daemon, "hao").await;
    let mut browsers = Vec::new();
    for (name, role) in [("chen", Role::Viewer), ("lin", Role::Nurse)] {
        let browser = Browser::sign_in(&daemon, name).await;
        let token = browser.token("/system").await;
        browsers.push((role, browser, token));
    }
    let mut seen = 0;
    for route in routes() {
        let path = route.path.replace("{patient}", "wang");
        assert!(
            !path.contains('{'),
            "{path}: which value is to stand there?"
        );
        let (unsigned, forged) = if route.is_form() {
            let head = [("Sec-Fetch-Site", "same-origin")];
            let unsigned = request(daemon.private(), "POST", &path, &head, "text=x").await;
            let forged = doctor.post(&path, "same-origin", "text=x").await;
            (unsigned, Some(forged))
        } else {
            (daemon.get(&path).await, None)
        };
        let expected = if route.is_form() { 401 } else { 303 };
        assert_eq!(unsigned.status, expected, "{path}");
        assert!(!unsigned.body.contains("王秀兰"), "{path}");
        assert!(forged.is_none_or(|it| it.status == 403), "{path}");
        for (role, browser, token) in &browsers {
            if *role >= route.needs {
                continue;
            }
            let answer = if route.is_form() {
                let form = format!("csrf={token}&patient=wang&text=x");
                browser.post(&path, "same-origin", &form).await
            } else {
                browser.get(&path).await
            };
            assert_eq!(answer.status, 403, "{path} as {role:?}");
            assert!(!answer.body.contains("王秀兰"), "{path} as {role:?}");
        }
        if !route.is_form() {
            let answer = doctor.get(&path).await;
            // The address of a form alone leads to the page that has it.
            let leads_on = answer.header("location") == Some("/patients/wang/plan/edit");
            assert!(answer.status == 200 || leads_on, "{path}: {answer:?}");
            if leads_on {
                continue;
            }
            let policy = answer.header("content-security-policy");
            assert!(policy.is_some_and(|it| !it.contains("unsafe")), "{path}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
            seen += 1;
        }
    }
    assert!(seen >= 6, "{seen} pages");
    // Nothing was said and nobody was taken off a list.
    assert_eq!(daemon.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dose_is_on_the_page_of_today_and_a_plan_that_is_refused_on_that_of_plans() {
    let (world, daemon) = world_with(&[("chen", "viewer")]).await;
    let browser = Browser::sign_in(&daemon, "chen").await;
    let today = eventually("a dose that was reminded of", async || {
        let today = browser.get("/today?show=reminded&lang=zh-CN").await.body;
        today.contains("二甲双胍").then_some(today)
    })
    .await;
    for words in [
        "王秀兰",
        "二甲双胍",
        "1片",
        "等待回复",
        "<b>1</b>已提醒",
        "08:00",
    ] {
        assert!(today.contains(words), "{words} in {today}");
    }
    let none = browser
        .get("/today?show=expired&page=99&lang=en")
        .await
        .body;
    assert!(none.contains("<b>0</b>not reminded"), "{none}");
    assert!(!none.contains("等待回复"), "{none}");

    let plans = browser.get("/plans?lang=en").await.body;
    assert!(plans.contains("No plan is refused."), "{plans}");
    assert!(plans.contains("href=\"/patients/wang\""), "{plans}");
    world.write_plan(
        "wang",
        "name = \"王秀兰\"\n[[medication]]\nnmae = \"<二甲双胍>\"\n",
    );
    daemon.reload().await;
    // What is wrong, and what to do about it, in the reader's language.
    for (language, said, other) in [
        (
            "zh-CN",
            "1 份计划被拒绝；请运行：dosed check",
            "rejected; run",
        ),
        (
            "zh-CN",
            "1 份计划被拒绝；今天已到时间 1 次用药",
            "due today",
        ),
        ("en", "1 plan rejected; run: dosed check", "份计划"),
    ] {
        let path = format!("/system?lang={language}");
        let system = browser.get(&path).await.body;
        assert!(system.contains(said), "{said}: {system}");
        assert!(!system.contains(other), "{other}: {system}");
    }
    let health = daemon.get("/health").await.body;
    assert!(
        health.contains("1 plan rejected; run: dosed check"),
        "{health}"
    );
    let plans = browser.get("/plans?lang=en").await.body;
    assert!(plans.contains("wang.toml:3:1"), "{plans}");
    assert!(
        plans.contains("&lt;二甲双胍&gt;"),
        "what stands in a plan is a text: {plans}"
    );
    assert!(
        plans.contains("The last good version stays in force."),
        "{plans}"
    );
    assert!(
        plans.contains("href=\"/patients/wang\""),
        "it is in force: {plans}"
    );
    let patient = "name = \"王秀兰\"\nwechat = \"o-wang\"\n\n[[medication]]\nname = \"二甲双胍\"\n\
                   take = \"2片\"\nat = \"08:00\"\n";
    world.write_plan("wang", patient);
    daemon.reload().await;
    let plans = browser.get("/plans?lang=en").await.body;
    assert!(plans.contains("No plan is refused."), "{plans}");
    assert!(plans.contains("changed"), "{plans}");
    assert_eq!(daemon.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_on_the_page_of_today_and_the_next_ones_beside_the_doses() {
    let world = World::new().await;
    world.write_plan(
        "wang",
        "name = \"王秀兰\"\nwechat = \"o-wang\"\n\n[[medication]]\nname = \"二甲双胍\"\n\
         take = \"1片\"\nat = \"12:00\"\n\n[[check_in]]\nask = \"今天血压多少？\"\n\
         answer = \"blood pressure\"\nat = \"08:00, 12:00\"\n",
    );
    world.sandbox.follow("o-wang");
    let daemon = world.start().await;
    assert_eq!(
        user(&world, &["add", "chen", "--role", "viewer"], PASSWORD).await,
        0
    );
    let browser = Browser::sign_in(&daemon, "chen").await;
    let page = eventually("a question that was asked", async || {
        let page = browser.get("/today?lang=zh-CN").await.body;
        let asked = page.contains("id=\"questions\"") && !page.contains("尚未提问");
        asked.then_some(page)
    })
    .await;
    let (_, questions) = page.split_once("id=\"questions\"").expect("it is there");
    for words in [
        "已到时间的随访问题 · 1",
        "等待回复 <strong>1</strong>",
        "已回复 <strong>0</strong>",
        "王秀兰",
        "今天血压多少？",
        "接下来六小时 · 用药 1 · 随访问题 1",
    ] {
        assert!(questions.contains(words), "{words} in {questions}");
    }
    let (_, next) = questions.split_once("id=\"next\"").expect("it is there");
    assert_eq!(next.matches("12:00</time>").count(), 1, "one row: {next}");
    // A page that is not there is the last one.
    let page = browser.get("/today?lang=en&questions=99").await.body;
    assert!(page.contains("Questions due so far · 1"), "{page}");
    assert_eq!(daemon.stop().await.code(), Some(0));
}

/// Breaks rows of a store that nobody holds: two calls (one for a reason that no release knows),
/// words of a stranger, and a row of the journal of a day that is over.
fn spoil(world: &World) {
    const BROKEN: &[u8] = &[9, 9, 9];
    // A little before the world's clock.
    let now: jiff::Timestamp = "2026-03-23T23:59:00Z".parse().expect("an instant");
    let today = u32::try_from(now.as_second() / 86_400).expect("after 1970");
    let database = redb::Database::open(world.path("dosed.redb")).expect("nobody holds it");
    let transaction = database.begin_write().expect("it can be written");
    {
        let calls = redb::TableDefinition::<(u32, u8), &[u8]>::new("calls");
        let mut calls = transaction.open_table(calls).expect("it is there");
        calls.insert((1, 0), BROKEN).expect("it can be written");
        calls.insert((1, 250), BROKEN).expect("it can be written");
        let strangers = redb::TableDefinition::<(i64, u32), &[u8]>::new("strangers");
        let mut strangers = transaction.open_table(strangers).expect("it is there");
        let place = (now.as_millisecond(), 7);
        strangers.insert(place, BROKEN).expect("it can be written");
        let journal = redb::TableDefinition::<(u32, u32, u32), &[u8]>::new("journal");
        let mut journal = transaction.open_table(journal).expect("it is there");
        let place = (today - 5, 1, u32::MAX - 1);
        journal.insert(place, BROKEN).expect("it can be written");
    }
    transaction.commit().expect("it can be written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_cannot_be_read_are_counted_where_they_are_left_out() {
    let (world, daemon) = world_with(&[("mei", "viewer")]).await;
    let inbox = ["inbox", "--from", "2026-03-01"];
    for command in [&["calls"][..], &inbox] {
        let whole = world.cli(command).await;
        assert!(whole.status.success(), "{command:?}: {whole:?}");
    }
    assert_eq!(daemon.stop().await.code(), Some(0));
    spoil(&world);
    for command in [&["calls"][..], &["calls", "--json"], &inbox] {
        let cut = world.cli(command).await;
        assert_eq!(cut.status.code(), Some(1), "{command:?}: {cut:?}");
        let said = String::from_utf8_lossy(&cut.stderr).into_owned();
        let expected = "2 records cannot be read and were left out; run: dosed fsck";
        assert!(said.contains(expected), "{command:?}: {said}");
    }
    let daemon = world.start().await;
    let browser = Browser::sign_in(&daemon, "mei").await;
    // The second page knows the day that is over from the first.
    for (path, count) in [("/plans", 1), ("/inbox", 2), ("/calls", 2)] {
        let page = browser.get(&format!("{path}?lang=en")).await;
        let said = format!("<strong>{count}</strong> records cannot be read and are left out");
        assert!(page.body.contains(&said), "{path}: {}", page.body);
        let page = browser.get(&format!("{path}?lang=zh-CN")).await;
        let said = format!("<strong>{count}</strong> 条记录无法读取");
        assert!(page.body.contains(&said), "{path}: {}", page.body);
    }
    let page = browser.get("/today?lang=en").await;
    assert!(!page.body.contains("cannot be read"), "{}", page.body);
    assert_eq!(daemon.stop().await.code(), Some(0));
}
