//! A backup in the middle of a burst, the store's loss, a restore on an empty directory.

use crate::support::{Daemon, World, eventually, metric};
use std::collections::BTreeMap;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);
const PATIENTS: usize = 120;

/// Nothing waits to be sent any more.
async fn settled(daemon: &Daemon) {
    eventually("everything settled", async || {
        let depth = metric(&daemon.metrics().await, "dosed_outbox_depth", &[]);
        (depth == 0.0).then_some(())
    })
    .await;
}

/// A daemon that begins two seconds before the doses of that time, once they have left.
async fn burst(world: &World, before: &str, deliveries: usize) {
    world.clock.set(&format!("2026-03-24T{before}+08:00"), 1);
    let daemon = world.start().await;
    let all = world
        .sandbox
        .wait_for(|inbox| inbox.len() >= deliveries, PATIENCE);
    assert!(all.await, "the doses after {before} do not come");
    settled(&daemon).await;
    assert_eq!(daemon.stop().await.code(), Some(0));
}

/// Makes a backup in the middle of the doses of eight o'clock and kills the daemon a while later.
/// Returns how many messages had arrived then.
async fn backup_in_a_burst_and_kill(world: &World) -> usize {
    world.clock.set("2026-03-24T07:59:58+08:00", 1);
    let daemon = world.start().await;
    let health = daemon.health().await;
    let check = &health["checks"]["jobs:backup"][0];
    assert_eq!(check["status"], "pass", "{health}");
    let begun = world.sandbox.wait_for_attempts(
        |attempts| attempts.len() > PATIENTS + PATIENTS / 4,
        PATIENCE,
    );
    assert!(begun.await, "the burst does not begin");
    let clock = world.clock.argument();
    let backup = world.cli(&["backup", "b.redb", "--clock", &clock]).await;
    assert_eq!(backup.status.code(), Some(0), "{backup:?}");
    let at_backup = world.sandbox.deliveries().len();
    let more = world.sandbox.wait_for_attempts(
        |attempts| attempts.len() >= PATIENTS + PATIENTS * 3 / 4,
        PATIENCE,
    );
    assert!(more.await, "the burst does not go on");
    let refused = world.cli(&["restore", "b.redb", "--clock", &clock]).await;
    assert_eq!(refused.status.code(), Some(75), "it runs: {refused:?}");
    daemon.kill().await;
    let refused = world.cli(&["restore", "b.redb", "--clock", &clock]).await;
    assert_eq!(refused.status.code(), Some(73), "it is there: {refused:?}");
    let sent = world.sandbox.deliveries().len();
    println!("{at_backup} had arrived at the backup, {sent} at the kill");
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restore_nothing_is_sent_twice_and_only_what_came_after_the_backup_is_lost() {
    let world = World::at("2026-03-24T07:30:00+08:00").await;
    for n in 0..PATIENTS {
        let keys = "take = \"1片\"\nat = \"07:31, 08:00, 20:00\"";
        world.patient(&format!("p{n:04}"), "王秀兰", &[("二甲双胍", keys)]);
    }
    let daemon = world.start().await;
    assert_eq!(daemon.stop().await.code(), Some(0));
    burst(&world, "07:30:58", PATIENTS).await;
    let sent = backup_in_a_burst_and_kill(&world).await;

    std::fs::remove_file(world.path("dosed.redb")).expect("the store is there");
    world.clock.set("2026-03-24T08:05:00+08:00", 1);
    let clock = world.clock.argument();
    let restored = world.cli(&["restore", "b.redb", "--clock", &clock]).await;
    let said = String::from_utf8_lossy(&restored.stderr).into_owned();
    assert_eq!(restored.status.code(), Some(0), "{said}");
    assert!(
        said.contains(&format!("{PATIENTS} patients with a plan")),
        "{said}"
    );
    let daemon = world.start().await;
    settled(&daemon).await;
    assert_eq!(daemon.stop().await.code(), Some(0));
    let now = world.sandbox.deliveries().len();
    assert_eq!(now, sent, "nothing is sent again");
    burst(&world, "19:59:57", sent + PATIENTS).await;

    let mut per_dose: BTreeMap<(std::sync::Arc<str>, String), usize> = BTreeMap::new();
    for message in world.sandbox.deliveries() {
        let time = message.value("time3").expect("each has its time");
        let dose = (message.touser.clone(), time.to_owned());
        *per_dose.entry(dose).or_default() += 1;
    }
    assert!(
        per_dose.values().all(|count| *count == 1),
        "none came twice"
    );
    let of = |time: &str| {
        let doses = per_dose.keys();
        doses.filter(|(_, it)| it.ends_with(time)).count()
    };
    assert_eq!((of("07:31"), of("20:00")), (PATIENTS, PATIENTS));
    assert_eq!(of("08:00"), sent - PATIENTS);
    look_at_the_books(&world).await;
}

/// What was before the backup is there, of the time after it nothing is claimed.
async fn look_at_the_books(world: &World) {
    let history = world.history().await;
    assert_eq!(history.len(), 3 * PATIENTS);
    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").expect("it exists");
    for dose in &history {
        let expected = match zone.to_datetime(dose.due).hour() {
            20 => ("open", None),
            // Its window had closed before the backup.
            7 => ("missed", None),
            // It was open at the backup, or fell since.
            _ => ("expired", Some("daemon_down")),
        };
        let found = (dose.state.as_str(), dose.reason.as_deref());
        assert_eq!(found, expected, "{dose:?}");
    }
    let calls = world.cli(&["calls", "--json"]).await;
    let calls = String::from_utf8(calls.stdout).expect("JSON is UTF-8");
    assert_eq!(calls.matches("in_doubt").count(), PATIENTS, "{calls}");
    let output = world.cli(&["fsck"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// The names of the backups of the night, the oldest first.
fn backups(world: &World) -> Vec<String> {
    let directory = std::fs::read_dir(world.path("backups"));
    let mut names: Vec<String> = directory
        .into_iter()
        .flatten()
        .map(|entry| {
            let name = entry.expect("it can be read").file_name();
            name.into_string().expect("ASCII")
        })
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_night_makes_its_own_backups_keeps_the_newest_and_none_is_a_store() {
    let world = World::at("2026-03-24T12:00:00+08:00").await;
    world.crowd(3);
    world.reconfigure(
        "path = \"dosed.redb\"\n",
        "path = \"dosed.redb\"\nbackups_keep = 2\n",
    );
    // The first daemon begins with the next hour: there is nothing yet that could be lost.
    let daemon = world.start().await;
    eventually("the daemon knows its jobs", async || {
        let health = daemon.health().await;
        let known = &health["checks"]["jobs:backup"][0]["knownSince"];
        known.is_string().then_some(())
    })
    .await;
    assert_eq!(daemon.stop().await.code(), Some(0));
    assert_eq!(backups(&world), [""; 0]);
    for (count, day) in [(1, 25), (2, 26), (2, 27)] {
        world.clock.set(&format!("2026-03-{day}T12:00:00+08:00"), 1);
        let daemon = world.start().await;
        let newest = format!("dosed-202603{day}T04");
        eventually("the backup of the day", async || {
            let names = backups(&world);
            let is_there = names.iter().any(|it| it.starts_with(&newest));
            (is_there && names.len() == count).then_some(())
        })
        .await;
        eventually("its success is noted", async || {
            let metrics = daemon.metrics().await;
            let labels = ["job=\"backup\"", "result=\"ok\""];
            (metric(&metrics, "dosed_job_runs_total", &labels) == 1.0).then_some(())
        })
        .await;
        assert_eq!(daemon.stop().await.code(), Some(0));
    }
    let jobs = world
        .cli(&["jobs", "--json", "--clock", &world.clock.argument()])
        .await;
    assert_eq!(jobs.status.code(), Some(0), "{jobs:?}");
    let jobs = String::from_utf8(jobs.stdout).expect("JSON is UTF-8");
    let backup = jobs
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("an object a line"))
        .find(|job| job["job"] == "backup")
        .expect("the backup is a job");
    assert_eq!(backup["count"], 3, "{backup}");
    assert_eq!(backup["overdue"], false, "{backup}");
    assert_eq!(backup["last_result"], "ok", "{backup}");
    // Run as it is, it would send what was sent since.
    let newest = world.path("backups").join(&backups(&world)[1]);
    std::fs::copy(newest, world.path("dosed.redb")).expect("the store can be replaced");
    let ended = Daemon::start_in_vain(&world).await;
    assert_eq!(ended.code(), Some(78), "{ended:?}");
    assert!(ended.log.contains("dosed restore"), "{}", ended.log);
}
