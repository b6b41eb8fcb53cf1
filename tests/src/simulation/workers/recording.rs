//! `record`: one at a time; and, where that goes wrong, a second one beside it, which may only lose.

use std::sync::Arc;

use countersign_core::active::ConfigurationCache;
use countersign_core::message::QueueName;
use countersign_core::stage::Incoming;
use countersign_evaluate::bundles;
use countersign_local::key_file::KeyFile;
use countersign_record::{Recorder, Settings};

use super::World;
use crate::simulation::faults::Fault;
use crate::simulation::ports::{FailingQueue, FailingSigner, FailingStore, RIVAL};

type Signer = FailingSigner<KeyFile>;

/// What one instance of `record` holds.
struct Instance {
    store: FailingStore,
    queue: FailingQueue,
    configurations: ConfigurationCache,
    log_signer: Signer,
    authorization_signer: Signer,
}

impl Instance {
    fn new(world: &World, role: &'static str) -> Self {
        let signer = |inner: &Arc<KeyFile>| Signer { sim: world.sim.clone(), inner: Arc::clone(inner) };
        Self {
            store: world.store_of(role),
            queue: world.queue_of(role),
            configurations: ConfigurationCache::default(),
            log_signer: signer(&world.prepared.log_signer),
            authorization_signer: signer(&world.prepared.authorization_signer),
        }
    }

    fn recorder<'a>(
        &'a self,
        settings: &'a Settings,
    ) -> Recorder<'a, FailingStore, FailingQueue, Signer, Signer> {
        Recorder {
            store: &self.store,
            queue: &self.queue,
            log_signer: &self.log_signer,
            authorization_signer: &self.authorization_signer,
            settings,
            configurations: &self.configurations,
        }
    }
}

impl World {
    /// Begins the log.
    pub(super) async fn genesis(self) {
        let instance = Instance::new(&self, "record");
        let recorder = instance.recorder(&self.prepared.settings);
        loop {
            let begun = async {
                bundles::store(&instance.store, &self.prepared.variants[0].1).await?;
                let _alone = self.alone.lock().await;
                recorder.genesis(self.sim.clock("countersign"), &self.prepared.genesis.0).await
            };
            if begun.await.is_ok() {
                return;
            }
            self.sim.sleep(1_000).await;
        }
    }

    /// Records what comes by a queue.
    pub(super) async fn record(self, name: QueueName) {
        let instance = Instance::new(&self, "record");
        let recorder = instance.recorder(&self.prepared.settings);
        self.pump("record", name.clone(), 100, async |batch| {
            let _alone = self.alone.lock().await;
            if self.sim.fault(Fault::Rival, "record") {
                self.rival(&name, batch);
            }
            recorder.handle(&name, self.sim.clock("countersign"), batch).await
        })
        .await;
    }

    /// Starts a second `record` that got the same messages. It is not alone, so that the log is all that it could
    /// spoil: its store ends it where it would write anything else.
    fn rival(&self, name: &QueueName, batch: &[Incoming]) {
        let (world, name, batch) = (self.clone(), name.clone(), batch.to_vec());
        let work = async move {
            let instance = Instance::new(&world, RIVAL);
            let recorder = instance.recorder(&world.prepared.settings);
            // Nobody hears what it answers.
            let _ = recorder.handle(&name, world.sim.clock("countersign"), &batch).await;
        };
        self.spawner.once(RIVAL, true, Box::pin(work));
    }
}
