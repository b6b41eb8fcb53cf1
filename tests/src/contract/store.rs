//! The rules of [`Store`]. Each takes a store of which it may use the keys below `prefix`, that has none.

use countersign_core::ports::PortError;
use countersign_core::ports::store::{Store, Version, Written};

/// How many race.
const RACERS: usize = 8;

async fn bytes(store: &impl Store, key: &str) -> Option<Vec<u8>> {
    store.get(key).await.expect("the store is read").map(|found| found.bytes)
}

fn stored(written: Written) -> Version {
    match written {
        Written::Stored(version) => version,
        Written::Conflict => panic!("the condition holds, so the value must be stored"),
    }
}

/// A value is read as it was put, also an empty one, until it is replaced or deleted.
pub async fn keeps_values(store: &impl Store, prefix: &str) {
    let key = format!("{prefix}a/b c+d=\u{e9}");
    assert_eq!(bytes(store, &key).await, None);
    let all: Vec<u8> = (0..=255).collect();
    let version = store.put(&key, &all).await.expect("put");
    let found = store.get(&key).await.expect("read").expect("there");
    assert_eq!((found.bytes, found.version), (all, version));
    store.put(&key, b"").await.expect("put");
    assert_eq!(bytes(store, &key).await, Some(Vec::new()));
    store.delete(&key).await.expect("deleted");
    assert_eq!(bytes(store, &key).await, None);
    store.delete(&key).await.expect("deleting what is not there is no error");
}

/// A conditional write is stored where its condition holds, and changes nothing where it does not.
pub async fn holds_conditions(store: &impl Store, prefix: &str) {
    let key = format!("{prefix}key");
    let unknown = stored(store.put_if_absent(&format!("{prefix}other"), b"0").await.expect("put"));
    let swapped = store.compare_and_swap(&key, &unknown, b"0").await.expect("answered");
    assert_eq!(swapped, Written::Conflict, "there is no value to swap");
    let first = stored(store.put_if_absent(&key, b"1").await.expect("put"));
    assert_eq!(store.put_if_absent(&key, b"2").await.expect("answered"), Written::Conflict);
    assert_eq!(bytes(store, &key).await.as_deref(), Some(&b"1"[..]));
    let second = stored(store.compare_and_swap(&key, &first, b"3").await.expect("swapped"));
    assert_ne!(first, second);
    assert_eq!(store.compare_and_swap(&key, &first, b"4").await.expect("answered"), Written::Conflict);
    assert_eq!(bytes(store, &key).await.as_deref(), Some(&b"3"[..]));
    store.delete(&key).await.expect("deleted");
    assert_eq!(store.compare_and_swap(&key, &second, b"5").await.expect("answered"), Written::Conflict);
    assert_eq!(bytes(store, &key).await, None);
    stored(store.put_if_absent(&key, b"6").await.expect("put"));
}

/// Of eight conditional writes at once exactly one is stored. Takes a runtime of several threads.
pub async fn lets_one_win<S>(store: &S, prefix: &str)
where
    S: Store + Clone + Send + 'static,
{
    for round in 0..10 {
        let key = format!("{prefix}race-{round}");
        let winner = winner(store, &key, None).await;
        let found = store.get(&key).await.expect("read").expect("there");
        assert_eq!(found.bytes, winner.to_string().as_bytes());
        let winner = self::winner(store, &key, Some(found.version)).await;
        assert_eq!(bytes(store, &key).await, Some(format!("{winner} swapped").into_bytes()));
    }
}

/// Which of the racers won.
async fn winner<S>(store: &S, key: &str, expected: Option<Version>) -> usize
where
    S: Store + Clone + Send + 'static,
{
    let start = std::sync::Arc::new(tokio::sync::Barrier::new(RACERS));
    let racers: Vec<_> = (10..10 + RACERS)
        .map(|racer| {
            let (store, key, expected, start) =
                (store.clone(), key.to_owned(), expected.clone(), std::sync::Arc::clone(&start));
            tokio::spawn(async move {
                start.wait().await;
                let written = match &expected {
                    None => store.put_if_absent(&key, racer.to_string().as_bytes()).await,
                    // Not what is there already: a store may know a value again by its bytes.
                    Some(expected) => {
                        store.compare_and_swap(&key, expected, format!("{racer} swapped").as_bytes()).await
                    }
                };
                (racer, written.expect("answered"))
            })
        })
        .collect();
    let mut winners = Vec::new();
    for racer in racers {
        let (racer, written) = racer.await.expect("the racer ends");
        if matches!(written, Written::Stored(_)) {
            winners.push(racer);
        }
    }
    assert_eq!(winners.len(), 1, "exactly one wins: {winners:?}");
    winners[0]
}

/// No increment by read and swap is lost. Takes a runtime of several threads.
pub async fn loses_no_update<S>(store: &S, prefix: &str)
where
    S: Store + Clone + Send + 'static,
{
    const TIMES: usize = 10;
    let key = format!("{prefix}counter");
    store.put(&key, b"0").await.expect("put");
    let tasks: Vec<_> = (0..RACERS)
        .map(|_| {
            let (store, key) = (store.clone(), key.clone());
            tokio::spawn(async move {
                for _ in 0..TIMES {
                    increment(&store, &key).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("the task ends");
    }
    assert_eq!(bytes(store, &key).await, Some((RACERS * TIMES).to_string().into_bytes()));
}

async fn increment(store: &impl Store, key: &str) {
    loop {
        let found = store.get(key).await.expect("read").expect("there");
        let number: usize = String::from_utf8(found.bytes).expect("text").parse().expect("a number");
        let next = (number + 1).to_string();
        let written = store.compare_and_swap(key, &found.version, next.as_bytes()).await;
        if written.expect("answered") != Written::Conflict {
            return;
        }
    }
}

/// Keys are listed in the order of their bytes, those below a prefix only, in pages that follow each other.
pub async fn lists_in_order(store: &impl Store, prefix: &str) {
    let below = format!("{prefix}list/");
    let names =
        ["!", "-", "0", "10", "9", "A", "Z/1", "Z0", "a", "a/b", "aa", "z", "~", "\u{e9}", "\u{1f510}"];
    for name in names.iter().rev() {
        store.put(&format!("{below}{name}"), b"x").await.expect("put");
    }
    for other in ["list", "list.", "list0", "lisu", "lis"] {
        store.put(&format!("{prefix}{other}"), b"x").await.expect("put");
    }
    let expected: Vec<_> = names.iter().map(|name| format!("{below}{name}")).collect();
    assert_eq!(store.list(&below, None, 1000).await.expect("listed"), expected);
    let mut paged: Vec<String> = Vec::new();
    loop {
        let page = store.list(&below, paged.last().map(String::as_str), 4).await.expect("listed");
        assert!(page.len() <= 4);
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, expected);
    let after = format!("{below}1");
    assert_eq!(store.list(&below, Some(&after), 2).await.expect("listed"), expected[3..5]);
    assert!(store.list(&format!("{prefix}none/"), None, 10).await.expect("listed").is_empty());
    let of_a = store.list(&format!("{below}a"), None, 10).await.expect("listed");
    assert_eq!(of_a, expected[8..11]);
}

/// A value may have tens of megabytes.
pub async fn keeps_large_values(store: &impl Store, prefix: &str) {
    let key = format!("{prefix}large");
    let large: Vec<u8> = (0..30_000_000u32).map(|index| (index % 251) as u8).collect();
    store.put(&key, &large).await.expect("put");
    assert!(bytes(store, &key).await.as_ref() == Some(&large), "the value came back as another");
    store.delete(&key).await.expect("deleted");
}

/// A key has at most 1,024 bytes.
pub async fn limits_keys(store: &impl Store, prefix: &str) {
    let longest = format!("{prefix}{}", "k".repeat(1024 - prefix.len()));
    store.put(&longest, b"x").await.expect("put");
    assert_eq!(bytes(store, &longest).await.as_deref(), Some(&b"x"[..]));
    let put = store.put(&format!("{longest}k"), b"x").await;
    assert!(matches!(put, Err(PortError::Refused(_))), "{put:?}");
}
