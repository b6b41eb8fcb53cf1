//! `S3Store` on versitygw.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use countersign_aws::s3::{Buckets, S3Store};
use countersign_core::ports::store::{Store as _, Version, Written};
use countersign_tests::contract;
use countersign_tests::world::aws::config;
use countersign_tests::world::aws::moto::Moto;
use countersign_tests::world::aws::versitygw::VersityGateway;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

async fn store() -> S3Store {
    let server = VersityGateway::shared().expect("versitygw");
    let bucket = server.bucket().await.expect("a bucket");
    server.store(&bucket, server.port()).await
}

/// A store on moto, which keeps objects in memory.
async fn in_memory() -> (Moto, S3Store) {
    let server = tokio::task::block_in_place(Moto::start).expect("moto");
    let config = config(server.url()).await;
    let settings = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
    let client = aws_sdk_s3::Client::from_conf(settings);
    client.create_bucket().bucket("countersign-rules").send().await.expect("a bucket");
    let bucket = Some("countersign-rules".to_owned());
    let buckets =
        Buckets { data: bucket.clone(), manifests: bucket.clone(), log: bucket.clone(), witness: bucket };
    (server, S3Store::new(&config, buckets, true))
}

macro_rules! rules {
    ($($rule:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 8)]
        async fn $rule() {
            contract::store::$rule(&store().await, "rules/").await;
        }
    )*};
}

rules! { keeps_values holds_conditions lets_one_win loses_no_update keeps_large_values }

/// What versitygw cannot keep, since it keeps objects as files: there `a` and `a/b` cannot both be, and no part of a key
/// has more than 255 bytes.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn keeps_every_rule_on_another_s3() {
    let (_server, store) = in_memory().await;
    contract::store::keeps_values(&store, "values/").await;
    contract::store::holds_conditions(&store, "conditions/").await;
    contract::store::lists_in_order(&store, "order/").await;
    contract::store::keeps_large_values(&store, "large/").await;
    contract::store::limits_keys(&store, "keys/").await;
}

/// What stands between a store and its server, and cuts connections at writes.
#[derive(Clone, Default)]
struct Cuts {
    /// So many writes do not arrive.
    requests: Arc<AtomicU32>,
    /// So many writes are made, and their answers do not arrive.
    answers: Arc<AtomicU32>,
}

impl Cuts {
    async fn listen(&self, to: u16) -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let cuts = self.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let cuts = cuts.clone();
                tokio::spawn(async move { cuts.carry(client, to).await });
            }
        });
        port
    }

    /// Carries one connection until either side, or a cut, ends it.
    async fn carry(&self, mut client: TcpStream, to: u16) -> std::io::Result<()> {
        let mut server = TcpStream::connect(("127.0.0.1", to)).await?;
        let (mut asked, mut answered) = (vec![0; 65536], vec![0; 65536]);
        let mut writes = false;
        loop {
            tokio::select! {
                read = client.read(&mut asked) => {
                    let part = &asked[..read?];
                    if part.is_empty() {
                        return Ok(());
                    }
                    if part.starts_with(b"PUT ") || part.starts_with(b"GET ") {
                        writes = part.starts_with(b"PUT ");
                    }
                    if writes && take_one(&self.requests) {
                        return Ok(());
                    }
                    server.write_all(part).await?;
                }
                read = server.read(&mut answered) => {
                    let part = &answered[..read?];
                    if part.is_empty() || (writes && take_one(&self.answers)) {
                        return Ok(());
                    }
                    client.write_all(part).await?;
                }
            }
        }
    }
}

fn take_one(count: &AtomicU32) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

fn stored(written: Written) -> Version {
    match written {
        Written::Stored(version) => version,
        Written::Conflict => panic!("nobody else writes, so the value must be stored"),
    }
}

/// A write whose answer is lost was made once, and is told as made; one that did not arrive is made after all.
#[tokio::test]
async fn a_conditional_write_survives_what_the_network_loses() {
    let server = VersityGateway::shared().expect("versitygw");
    let bucket = server.bucket().await.expect("a bucket");
    let cuts = Cuts::default();
    let port = cuts.listen(server.port()).await;
    let (behind, straight) = (server.store(&bucket, port).await, server.store(&bucket, server.port()).await);
    for (lost, count) in [(&cuts.answers, 1), (&cuts.requests, 1), (&cuts.requests, 2)] {
        let key = format!("state/{}-{count}", Arc::ptr_eq(lost, &cuts.answers));
        lost.store(count, Ordering::SeqCst);
        let first = stored(behind.put_if_absent(&key, b"1").await.expect("written"));
        assert_eq!(lost.load(Ordering::SeqCst), 0, "the connection was cut");
        assert_eq!(straight.get(&key).await.expect("read").expect("there").version, first);
        lost.store(count, Ordering::SeqCst);
        let second = stored(behind.compare_and_swap(&key, &first, b"2").await.expect("written"));
        let found = straight.get(&key).await.expect("read").expect("there");
        assert_eq!((found.bytes.as_slice(), found.version), (&b"2"[..], second));
        lost.store(count, Ordering::SeqCst);
        let again = behind.put_if_absent(&key, b"3").await;
        assert!(
            !matches!(again, Ok(Written::Stored(_))),
            "{key}: another's value is taken for ours: {again:?}"
        );
        lost.store(0, Ordering::SeqCst);
        assert_eq!(straight.get(&key).await.expect("read").expect("there").bytes, b"2");
    }
}
