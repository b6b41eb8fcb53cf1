//! `ManagedSecrets` on moto.

use std::time::Duration;

use countersign_aws::secrets::ManagedSecrets;
use countersign_core::configuration::SecretReference;
use countersign_core::ports::PortError;
use countersign_core::ports::secrets::Secrets as _;
use countersign_tests::world::aws::config;
use countersign_tests::world::aws::moto::Moto;

/// A life that does not end during a test.
const LONG: Duration = Duration::from_secs(3600);

/// A life that is soon over.
const SHORT: Duration = Duration::from_millis(300);

async fn read(secrets: &ManagedSecrets, name: &str) -> Result<String, PortError> {
    let reference = SecretReference::Managed(name.to_owned());
    secrets.read(&reference).await.map(|bytes| String::from_utf8(bytes).expect("text"))
}

/// A rotated secret is picked up once the life of what was read is over, and clones share what they read.
#[tokio::test]
async fn a_rotated_secret_is_read_when_the_life_of_the_old_one_is_over() {
    let moto = Moto::start().expect("moto");
    moto.secret("webhook", "old\n").await.expect("kept");
    let config = config(moto.url()).await;
    let long = ManagedSecrets::with_life(&config, LONG);
    let short = ManagedSecrets::with_life(&config, SHORT);
    for secrets in [&long, &short] {
        assert_eq!(read(secrets, "webhook").await.as_deref(), Ok("old"));
    }
    moto.rotate("webhook", "new").await.expect("rotated");
    assert_eq!(read(&long.clone(), "webhook").await.as_deref(), Ok("old"), "its life is not over");
    tokio::time::sleep(SHORT).await;
    assert_eq!(read(&short, "webhook").await.as_deref(), Ok("new"));
    let missing = read(&long, "none").await;
    assert!(matches!(&missing, Err(PortError::Unavailable(why)) if why.contains("none")), "{missing:?}");
}
