//! What the daemon does not start with: each has its exit code, and names the file.

use crate::support::{Daemon, World};
use redb::{Database, TableDefinition};
use std::time::Duration;

/// Starts a daemon that must refuse, and checks the code and that the sentence has the words.
async fn refuses(world: &World, code: i32, words: &[&str]) {
    let ended = Daemon::start_in_vain(world).await;
    assert_eq!(ended.code(), Some(code), "{}", ended.log);
    for word in words {
        assert!(
            ended.log.contains(word),
            "{word:?} is not in: {}",
            ended.log
        );
    }
    assert!(!ended.log.contains("panicked"), "{}", ended.log);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_daemon_on_the_same_store_is_refused_and_the_first_goes_on() {
    let world = World::new().await;
    world.crowd(3);
    let first = world.start().await;
    refuses(&world, 75, &["dosed.redb"]).await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 3, Duration::from_secs(60))
            .await
    );
    assert_eq!(first.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_from_a_newer_version_is_refused_and_left_alone() {
    const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
    let world = World::new().await;
    world.crowd(1);
    world.start().await.stop().await;
    {
        let database = Database::open(world.path("dosed.redb")).expect("the daemon has ended");
        let write = database.begin_write().expect("a write transaction");
        let newer = u32::MAX.to_le_bytes();
        let old = write
            .open_table(META)
            .expect("the table of properties")
            .insert("schema", newer.as_slice())
            .expect("a row")
            .map(|old| old.value().to_vec());
        assert!(old.is_some(), "there was a schema to replace");
        write.commit().expect("a commit");
    }
    refuses(&world, 78, &["dosed.redb", &u32::MAX.to_string()]).await;
    let output = world.cli(&["history"]).await;
    assert_eq!(output.status.code(), Some(78), "{output:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_no_store_is_not_overwritten() {
    let world = World::new().await;
    world.write("dosed.redb", "the clinic's accounts");
    let ended = Daemon::start_in_vain(&world).await;
    assert!(!ended.status.success());
    assert!(ended.log.contains("dosed.redb"), "{}", ended.log);
    assert_eq!(world.read("dosed.redb"), "the clinic's accounts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_configuration_file_is_missing_input() {
    let world = World::new().await;
    std::fs::remove_file(world.path("dosed.toml")).expect("it was there");
    refuses(&world, 66, &["dosed.toml"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_configuration_is_refused_with_its_place() {
    for (part, by, words) in [
        ("rate = 0", "rte = 0", ["dosed.toml:17:1", "rate"]),
        ("rate = 0", "rate = -1", ["dosed.toml:17:8", "-1"]),
        ("rate = 0", "rate = ", ["dosed.toml:17:8", "value"]),
        (
            "timezone = \"Asia/Shanghai\"",
            "timezone = \"Asia/Peking\"",
            ["dosed.toml:3:12", "Asia/Peking"],
        ),
        (
            "channel = \"wechat\"",
            "channel = \"wichat\"",
            ["dosed.toml:15:11", "wichat"],
        ),
        (
            "timeout = \"2 s\"",
            "timeout = \"2 parsecs\"",
            ["dosed.toml:18:11", "parsecs"],
        ),
        (
            "private = \"127.0.0.1:0\"",
            "private = \"nowhere\"",
            ["dosed.toml:12:11", "nowhere"],
        ),
        (
            "format = \"human\"",
            "format = \"verse\"",
            ["dosed.toml:22:10", "verse"],
        ),
    ] {
        let world = World::new().await;
        world.reconfigure(part, by);
        refuses(&world, 78, &words).await;
        let output = world.cli(&["check", "--config-only", "--quiet"]).await;
        assert_eq!(output.status.code(), Some(1), "{by}: {output:?}");
        assert!(!world.path("dosed.redb").exists(), "{by}: no store is made");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_or_empty_secret_is_a_wrong_configuration() {
    let world = World::new().await;
    for empty in ["", "\n", " \n"] {
        world.write("wechat-secret", empty);
        refuses(&world, 78, &["wechat-secret"]).await;
    }
    std::fs::remove_file(world.path("wechat-secret")).expect("it was there");
    refuses(&world, 78, &["wechat-secret"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_others_can_read_is_refused() {
    let world = World::new().await;
    for mode in [0o604, 0o644, 0o640, 0o666, 0o602] {
        world.set_mode("wechat-secret", mode);
        refuses(&world, 77, &["wechat-secret"]).await;
    }
    for mode in [0o600, 0o400] {
        world.set_mode("wechat-secret", mode);
        assert_eq!(world.start().await.stop().await.code(), Some(0), "{mode:o}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_managers_credential_is_taken_instead() {
    let world = World::new().await;
    std::fs::create_dir(world.path("credentials")).expect("a fresh directory takes another");
    std::fs::rename(
        world.path("wechat-secret"),
        world.path("credentials/wechat-secret"),
    )
    .expect("it was there");
    // systemd lets the service's user in with an ACL, whose mask shows as the group's bits.
    world.set_mode("credentials/wechat-secret", 0o440);
    world.crowd(1);
    let daemon = Daemon::start_with(&world, |command| {
        command.env("CREDENTIALS_DIRECTORY", world.path("credentials"));
    })
    .await;
    assert!(
        world
            .sandbox
            .wait_for(|inbox| inbox.len() == 1, Duration::from_secs(60))
            .await
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_lies_in_the_state_directory_where_there_is_one() {
    let world = World::new().await;
    std::fs::create_dir(world.path("state")).expect("a fresh directory takes another");
    let daemon = Daemon::start_with(&world, |command| {
        command.env("STATE_DIRECTORY", world.path("state"));
    })
    .await;
    daemon.stop().await;
    assert!(world.path("state/dosed.redb").exists());
    assert!(!world.path("dosed.redb").exists());
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(world.path("state/dosed.redb"))
            .expect("it is there")
            .permissions(),
    );
    assert_eq!(mode & 0o077, 0, "nobody else reads the store");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_taken_is_named() {
    let world = World::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken
        .local_addr()
        .expect("a bound socket has an address")
        .to_string();
    world.reconfigure("127.0.0.1:0", &address);
    let ended = Daemon::start_in_vain(&world).await;
    assert!(!ended.status.success());
    assert!(ended.log.contains(&address), "{}", ended.log);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_usage_has_its_code() {
    let world = World::new().await;
    for arguments in [
        &["rum"] as &[&str],
        &["run", "--fast"],
        &["history", "--from", "whenever"],
    ] {
        let output = world.cli(arguments).await;
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {output:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_of_a_daemon_that_does_not_run_is_unreachable() {
    let world = World::new().await;
    world.start().await.stop().await;
    let output = world.cli(&["status"]).await;
    assert_eq!(output.status.code(), Some(69), "{output:?}");
}
