//! Opening, sharing, and what a kill leaves.

use super::super::open::begin_write;
use super::super::records::META;
use super::*;
use redb::Database;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Names the store that the child process of these tests works on.
const CHILD: &str = "DOSED_TEST_STORE";

/// Runs one test of this binary as a process of its own.
fn child(test: &str, options: &Options) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--ignored", "--test-threads=1"])
        .env(CHILD, &options.path)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn childs_options() -> Option<Options> {
    std::env::var_os(CHILD).map(|path| Options {
        path: path.into(),
        cache_bytes: 1 << 20,
    })
}

#[test]
#[ignore = "the child process of a_kill_within_creation_never_leaves_a_store_that_cannot_be_opened"]
fn creates_in_a_child() {
    let Some(options) = childs_options() else {
        return;
    };
    create_if_absent(&options).unwrap();
}

#[test]
fn a_kill_within_creation_never_leaves_a_store_that_cannot_be_opened() {
    let directory = tempfile::tempdir().unwrap();
    let name = "store::tests::opening::creates_in_a_child";
    let began = Instant::now();
    let whole = Options {
        path: directory.path().join("whole.redb"),
        cache_bytes: 1 << 20,
    };
    assert!(child(name, &whole).status().unwrap().success());
    assert!(whole.path.exists());
    let span = began.elapsed();
    let mut killed_before = 0;
    for round in 0..200_u32 {
        let options = Options {
            path: directory.path().join(format!("{round}.redb")),
            cache_bytes: 1 << 20,
        };
        let mut process = child(name, &options).spawn().unwrap();
        // Spread over the whole life of the child.
        let wait = span * round / 180;
        let until = Instant::now() + wait;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        process.kill().unwrap();
        process.wait().unwrap();
        killed_before += u32::from(!options.path.exists());
        if options.path.exists() {
            open_reader(&options).unwrap();
        }
    }
    assert!(killed_before > 0, "none was killed in time: {span:?}");
    let leftovers = || {
        std::fs::read_dir(directory.path())
            .unwrap()
            .filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                name.to_string_lossy().contains(".creating-")
            })
            .count()
    };
    for round in 0..200 {
        let options = Options {
            path: directory.path().join(format!("{round}.redb")),
            cache_bytes: 1 << 20,
        };
        create_if_absent(&options).unwrap();
        open_reader(&options).unwrap();
    }
    assert_eq!(leftovers(), 0);
}

#[test]
fn what_a_creation_left_is_removed_only_when_its_process_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let leftover = |id: &str| directory.path().join(format!(".dosed.redb.creating-{id}"));
    let alive = std::os::unix::process::parent_id().to_string();
    let files = [
        (leftover(&gone.id().to_string()), false),
        (leftover(&alive), true),
        (leftover("x"), true),
        (directory.path().join(".other.redb.creating-1"), true),
    ];
    for (file, _) in &files {
        std::fs::write(file, "").unwrap();
    }
    create_if_absent(&options(&directory)).unwrap();
    for (file, stays) in &files {
        assert_eq!(file.exists(), *stays, "{}", file.display());
    }
}

#[test]
fn a_store_of_a_newer_release_is_refused_by_name_of_versions() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    create_if_absent(&options).unwrap();
    let database = Database::open(&options.path).unwrap();
    let transaction = begin_write(&database).unwrap();
    {
        let mut meta = transaction.open_table(META).unwrap();
        let newer = (SCHEMA + 1).to_le_bytes();
        meta.insert("schema", newer.as_slice()).unwrap();
    }
    transaction.commit().unwrap();
    drop(database);
    for error in [
        Store::open(&options, telemetry()).err().unwrap(),
        open_reader(&options).err().unwrap(),
    ] {
        assert!(matches!(error, OpenError::Newer { found, .. } if found == SCHEMA + 1));
        let text = error.to_string();
        assert!(text.contains(&format!("schema {}", SCHEMA + 1)), "{text}");
        assert!(text.contains(&format!("up to {SCHEMA}")), "{text}");
    }
}

#[tokio::test]
async fn a_second_writer_is_refused_after_two_seconds_and_a_reader_sees_what_is_committed() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    let store = open(&options);
    let reader = open_reader(&options).unwrap();
    assert!(!reader.knows("a").unwrap());
    apply(&store, hour(7), vec![change("a", TWICE)]).await;
    assert!(reader.knows("a").unwrap());
    let began = Instant::now();
    let second = Store::open(&options, telemetry()).err().unwrap();
    assert!(matches!(second, OpenError::Locked(_)), "{second}");
    let waited = began.elapsed();
    assert!(
        (Duration::from_secs(2)..Duration::from_secs(4)).contains(&waited),
        "{waited:?}"
    );
    store.close().await;
    open(&options).close().await;
}

#[test]
fn what_is_no_store_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    assert!(matches!(open_reader(&options), Err(OpenError::Missing(_))));
    std::fs::write(&options.path, "not a store").unwrap();
    assert!(matches!(
        open_reader(&options),
        Err(OpenError::Failed { .. })
    ));
    assert!(matches!(
        Store::open(&options, telemetry()),
        Err(OpenError::Failed { .. })
    ));
}

#[test]
fn a_disk_that_fails_is_told_from_a_file_that_is_no_store() {
    // A directory in place of the file: the operating system refuses, whoever asks.
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    std::fs::create_dir(&options.path).unwrap();
    let error = Store::open(&options, telemetry()).err().unwrap();
    assert!(matches!(error, OpenError::Disk { .. }), "{error:?}");
    // A file where its directory should be: it cannot be made.
    let options = Options {
        path: directory.path().join("file/dosed.redb"),
        ..options
    };
    std::fs::write(directory.path().join("file"), "").unwrap();
    let error = Store::open(&options, telemetry()).err().unwrap();
    assert!(matches!(error, OpenError::Disk { .. }), "{error:?}");
}

#[test]
#[ignore = "the child process of after_a_kill_a_reader_repairs_and_sees_what_was_committed"]
fn writes_in_a_child() {
    let Some(options) = childs_options() else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = open(&options);
        for number in 0.. {
            let patient = format!("p{number}");
            apply(&store, hour(7), vec![change(&patient, TWICE)]).await;
            std::fs::write(options.path.with_extension("done"), patient).unwrap();
        }
    });
}

#[test]
fn after_a_kill_a_reader_repairs_and_sees_what_was_committed() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(&directory);
    let done = options.path.with_extension("done");
    let mut process = child("store::tests::opening::writes_in_a_child", &options)
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !std::fs::read_to_string(&done).is_ok_and(|text| text.len() >= 3) {
        assert!(Instant::now() < deadline, "the child commits nothing");
        std::thread::yield_now();
    }
    process.kill().unwrap();
    process.wait().unwrap();
    let last = std::fs::read_to_string(&done).unwrap();
    let reader = open_reader(&options).unwrap();
    // The file may be caught while it is written anew.
    assert!(reader.knows("p0").unwrap() && (last.is_empty() || reader.knows(&last).unwrap()));
}
