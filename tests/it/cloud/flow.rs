//! From a pull request to *deployed*, through the real programs of all functions, and what each of them may do.

mod killed;
mod logs;
mod rotation;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use countersign_core::keys;
use countersign_core::leaf::Record;
use countersign_core::outcome::OutcomeResult;
use countersign_core::ports::store::Store as _;
use countersign_ledger::note::{Note, NoteKey};
use countersign_tests::cloud::contract::Contract;
use countersign_tests::cloud::first_day::{CONTROL, Cloud, SHOP};
use countersign_tests::cloud::gateway::faults::Rates;
use countersign_tests::cloud::gateway::rights::Rights;
use countersign_tests::cloud::stack::{CLUSTER, Settings, WITNESS};
use countersign_tests::world::aws::elasticmq::ElasticMq;
use countersign_tests::world::gitea::pull_request::Style;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

/// A file that a rule speaks of.
const DEPLOYMENT: &str = "deploy/staging/deployment.yaml";

/// What makes the folder of staging one with the shared one.
const KUSTOMIZATION: &str = "resources: [configmap.yaml, deployment.yaml, service.yaml, ../shared]\n";

/// Queues, and who takes from them.
const TAKEN: [(&str, &str); 6] = [
    ("events.fifo", "gather"),
    ("facts.fifo", "evaluate"),
    ("decisions.fifo", "record"),
    ("reports.fifo", "report"),
    ("deploys-east.fifo", "apply"),
    ("observations-east", "observe"),
];

/// How long a function hides what it works on at once.
const HIDDEN: Duration = Duration::from_secs(5);

/// What somebody writes into the config map of staging, past everything.
const BY_HAND: &str = "By hand";

/// What fails while nonsense is sent.
const WHAT_FAILS: [&str; 2] = ["s3.PutObject", "sqs.SendMessageBatch"];

#[test]
fn a_change_takes_the_whole_path_through_the_functions() -> Result<()> {
    let settings = Settings { witnessed: true, hidden: Some(HIDDEN), ..Settings::default() };
    let mut cloud = Cloud::start(settings)?;
    let merged = is_denied_mended_approved_and_deployed(&cloud)?;
    killed::what_a_killed_function_held_comes_again_soon(&cloud)?;
    what_is_denied_stays_out(&cloud, &merged)?;
    what_is_changed_by_hand_is_told(&cloud)?;
    a_change_of_the_control_repository_becomes_active(&cloud)?;
    what_was_changed_by_hand_is_put_back(&cloud)?;
    dead_letters_become_leaves(&cloud)?;
    the_witness_cosigns(&cloud)?;
    requests_that_are_none_are_answered(&cloud)?;
    cloud.audit()?;
    rotation::everything_goes_on_with_other_keys(&mut cloud)?;
    logs::each_line_is_a_document_and_a_trace_goes_all_the_way(&cloud)?;
    each_function_did_what_its_role_allows_and_all_of_it(&cloud)
}

fn is_denied_mended_approved_and_deployed(cloud: &Cloud) -> Result<String> {
    let shop = cloud.clone("ada")?;
    let text = shop.read(DEPLOYMENT)?;
    let image = text.lines().find_map(|line| line.trim_start().strip_prefix("image: ")).unwrap_or_default();
    shop.replace(DEPLOYMENT, image, "registry.example.com/shop/web:1.5.0")?;
    let wrong = shop.commit_all("ada", "Use version 1.5.0")?;
    shop.push_to("newer")?;
    let request = cloud.person("ada")?.open(SHOP, "newer", "Use version 1.5.0")?;
    cloud.until_status(&wrong, "staging", "failure")?;
    cloud.until_comment(&request, &["Preview: policy would deny", "Rule `images.pinned`", DEPLOYMENT])?;

    let pinned = format!("registry.example.com/shop/web:1.5.0@sha256:{}", "a".repeat(64));
    shop.replace(DEPLOYMENT, "registry.example.com/shop/web:1.5.0", &pinned)?;
    // With what another folder holds, of which `gather` keeps that this target is rendered from it.
    shop.write("deploy/staging/kustomization.yaml", KUSTOMIZATION)?;
    shop.write("deploy/shared/kustomization.yaml", "resources: [motd.yaml]\n")?;
    let motd = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: motd\ndata:\n  text: shared\n";
    shop.write("deploy/shared/motd.yaml", motd)?;
    let mended = shop.greet("ada", "staging", "Welcome")?;
    shop.push_to("newer")?;
    cloud.until_status(&mended, "staging", "pending")?;
    request.seen_by(cloud.person("grace")?).approve(&mended)?;
    cloud.until_status(&mended, "staging", "success")?;
    let merged = request.merge(Style::Merge)?;
    cloud.until_runs("staging", &merged)?;
    let told = cloud.until_status(&merged, "staging", "success")?;
    ensure!(told.starts_with("deployed"), "{told}");
    // A later look at the same tip, as by `poll`, finds that all is done: it says so in other words.
    cloud.until_comment(&request, &["# shop in staging: deployed"])?;
    ensure!(cloud.greeting()? == "Welcome", "what is healthy is not there");
    Ok(merged)
}

fn what_is_denied_stays_out(cloud: &Cloud, running: &str) -> Result<()> {
    let shop = cloud.clone("ada")?;
    let head = shop.greet("ada", "staging", "Unreviewed")?;
    shop.push_to("unreviewed")?;
    let request = cloud.person("ada")?.open(SHOP, "unreviewed", "Greet otherwise")?;
    cloud.until_status(&head, "staging", "pending")?;
    let commit = request.merge(Style::Squash)?;
    let told = cloud.until_status(&commit, "staging", "failure")?;
    ensure!(told.starts_with("denied"), "{told}");
    let state = cloud.target("staging")?;
    ensure!(state["running"]["commit"] == running, "{state}");
    ensure!(cloud.greeting()? == "Welcome", "what was denied runs");
    // A signed approval, which no forge takes part in. The cluster refuses, until its owner grants what is needed.
    let binding = cloud.runtime.block_on(revoked(cloud))?;
    let url = format!("http://{}", cloud.stack.api.address);
    shop.say("grace", &["approve", &head, "--server", &url])?;
    cloud.until("it is told that the cluster refused", || {
        let state = cloud.target("staging")?;
        ensure!(state["wanted"]["commit"] == commit.as_str() && state["failures"] != 0, "{state}");
        Ok(())
    })?;
    let woken = ("poll".to_owned(), "s3.DeleteObject".to_owned());
    cloud.until("what failed is woken", || {
        ensure!(cloud.stack.services.gateway.counts().contains_key(&woken), "{}", cloud.target("staging")?);
        Ok(())
    })?;
    cloud.runtime.block_on(granted(cloud, binding))?;
    cloud.until_runs("staging", &commit).map(drop)
}

/// Takes away what the cluster's owner granted in the namespace of staging.
async fn revoked(cloud: &Cloud) -> Result<RoleBinding> {
    let bindings = bindings(cloud).await?;
    let mut binding = bindings.get("countersign").await?;
    bindings.delete("countersign", &DeleteParams::default()).await?;
    binding.metadata.resource_version = None;
    binding.metadata.uid = None;
    Ok(binding)
}

async fn granted(cloud: &Cloud, binding: RoleBinding) -> Result<()> {
    bindings(cloud).await?.create(&PostParams::default(), &binding).await?;
    Ok(())
}

async fn bindings(cloud: &Cloud) -> Result<Api<RoleBinding>> {
    Ok(Api::namespaced(cloud.stack.services.control_plane.client().await?, "shop-staging"))
}

/// A change of the rules takes the path of every other change.
fn a_change_of_the_control_repository_becomes_active(cloud: &Cloud) -> Result<()> {
    let control = cloud.clone_of("ada", CONTROL)?;
    control.replace("countersign.yaml", "pollSeconds: 5", "pollSeconds: 6")?;
    // Whether two targets hold the same object is asked where they share a namespace.
    control.replace("countersign.yaml", "[shop-production]", "[shop-production, shop-staging]")?;
    control.replace(
        "countersign.yaml",
        "  staging:\n    approvals",
        "  staging:\n    selfHeal: true\n    approvals",
    )?;
    let commit = control.commit_all("ada", "Poll less often, share a namespace, and heal staging")?;
    control.push_to("less-often")?;
    let request = cloud.person("ada")?.open(CONTROL, "less-often", "Poll less often")?;
    request.seen_by(cloud.person("grace")?).approve(&commit)?;
    let commit = request.merge(Style::FastForward)?;
    cloud.until(&format!("the bundle of {commit} is active"), || {
        let active = cloud.kept(keys::ACTIVE_BUNDLE)?;
        ensure!(active["commit"] == commit.as_str(), "{active}");
        Ok(())
    })?;
    cloud.until("production is looked at under these rules", || {
        let (active, state) = (cloud.kept(keys::ACTIVE_BUNDLE)?, cloud.target("production")?);
        ensure!(state["latest"]["bundle"] == active["bundle"], "{state}");
        Ok(())
    })
}

/// `drift` tells what an object says that nobody authorized, and leaves it where nothing says otherwise.
fn what_is_changed_by_hand_is_told(cloud: &Cloud) -> Result<()> {
    change_by_hand(cloud)?;
    until_told(
        cloud,
        |result| matches!(result, OutcomeResult::Drifted { .. }),
        "1 object is not as authorized",
    )?;
    ensure!(cloud.greeting()? == BY_HAND, "it was put back, and nobody asked for that");
    Ok(())
}

/// Changes what staging greets with, past everything.
fn change_by_hand(cloud: &Cloud) -> Result<()> {
    let greeting = json!({ "data": { "greeting": BY_HAND } });
    cloud.runtime.block_on(async {
        let client = cloud.stack.services.control_plane.client().await?;
        let maps = Api::<ConfigMap>::namespaced(client, "shop-staging");
        maps.patch("web", &PatchParams::default(), &Patch::Merge(&greeting)).await?;
        Ok(())
    })
}

/// Where the environment heals itself, what was authorized last is applied again, with every check.
fn what_was_changed_by_hand_is_put_back(cloud: &Cloud) -> Result<()> {
    until_told(
        cloud,
        |result| matches!(result, OutcomeResult::Restored { .. }),
        "1 object put back as authorized",
    )?;
    ensure!(cloud.greeting()? != BY_HAND, "what was changed by hand runs");
    Ok(())
}

/// Waits until the log has an outcome of staging, and checks what it says.
fn until_told(cloud: &Cloud, wanted: fn(&OutcomeResult) -> bool, summary: &str) -> Result<()> {
    cloud.until(&format!("the log says: {summary}"), || {
        let leaves = cloud.leaves()?;
        let outcomes = leaves.iter().filter_map(|(_, leaf)| match &leaf.record {
            Record::Outcome(told) if told.target.environment.as_str() == "staging" => Some(told),
            _ => None,
        });
        let told = outcomes.rev().find(|told| wanted(&told.result)).context("no such outcome")?;
        let details = cloud.kept(&keys::blob(&told.details))?;
        ensure!(details["summary"] == summary, "{told:?}: {details}");
        Ok(())
    })
}

/// What no function understands is a dead letter with its reason, and a leaf, also where nothing can be stored or sent
/// when it comes: then it comes again.
fn dead_letters_become_leaves(cloud: &Cloud) -> Result<()> {
    let gateway = &cloud.stack.services.gateway;
    let before = cloud.leaves()?.len();
    gateway.faults().set(Rates { out_of_order: &WHAT_FAILS, ..Rates::default() });
    for (queue, _) in TAKEN {
        send_nonsense(cloud, queue)?;
    }
    cloud.until("every function gives back what it cannot do", || {
        let counts = gateway.counts();
        let hidden = |function: &str| (function.to_owned(), "sqs.ChangeMessageVisibility".to_owned());
        let missing: Vec<_> =
            TAKEN.iter().filter(|(_, taker)| !counts.contains_key(&hidden(taker))).collect();
        ensure!(missing.is_empty(), "{missing:?} did not");
        Ok(())
    })?;
    gateway.faults().set(Rates::default());
    cloud.until("the log tells of all of them", || {
        let leaves = cloud.leaves()?;
        let rejected = leaves[before..].iter().filter(|(_, leaf)| matches!(leaf.record, Record::Rejected(_)));
        let (told, sent) = (rejected.count(), TAKEN.len());
        ensure!(told == sent, "it tells of {told} of {sent}");
        Ok(())
    })?;
    let dead = cloud.dead_letters()?;
    // What is no decision is itself what `record` appends.
    ensure!(dead.len() == TAKEN.len() - 1 && dead.values().all(|count| *count == 1), "{dead:?}");
    for url in dead.keys() {
        let read = async {
            let client = ElasticMq::shared()?.client().await;
            anyhow::Ok(client.receive_message().queue_url(url).message_attribute_names("All").send().await?)
        };
        let found = cloud.runtime.block_on(read)?;
        let attributes = found.messages().first().and_then(|message| message.message_attributes());
        ensure!(attributes.is_some_and(|found| found.contains_key("reason")), "{url}: {attributes:?}");
    }
    Ok(())
}

/// Puts a message into a queue that is of no kind that its function takes.
fn send_nonsense(cloud: &Cloud, queue: &str) -> Result<()> {
    let (server, installation) = (ElasticMq::shared()?, &cloud.stack.services.installation);
    let url = format!("{}/000000000000/{installation}-{queue}", server.url());
    let client = cloud.runtime.block_on(server.client());
    let mut request = client.send_message().queue_url(url);
    if queue.ends_with(".fifo") {
        request = request.message_group_id("nonsense").message_deduplication_id("nonsense");
    }
    let body = r#"{"v":1,"trace":"ffffffffffffffff","body":"nonsense"}"#;
    cloud.runtime.block_on(request.message_body(body).send())?;
    Ok(())
}

fn the_witness_cosigns(cloud: &Cloud) -> Result<()> {
    let services = &cloud.stack.services;
    let key = NoteKey::witness(WITNESS, &services.keys[2])?;
    cloud.until("the witness cosigns the whole log", || {
        let size = cloud.leaves()?.len();
        let found = cloud.runtime.block_on(services.store.get(&keys::cosigned(u64::try_from(size)?)))?;
        let text = String::from_utf8(found.context("not yet")?.bytes)?;
        let note = Note::parse(&text)?;
        note.verify(cloud.log_keys.first().context("the log has no key")?)?;
        ensure!(note.is_signed_by(&key)?, "no cosignature in {text}");
        Ok(())
    })
}

fn requests_that_are_none_are_answered(cloud: &Cloud) -> Result<()> {
    let ask = |path: &str, body: &[u8]| {
        let headers = [("content-type", "application/json")];
        let answer =
            countersign_tests::http::request(&cloud.stack.api.address, "POST", path, &headers, body)?;
        anyhow::Ok(answer.status)
    };
    let huge = vec![b' '; 7 << 20];
    for (path, body, expected) in [
        ("/webhooks/gitea", &b"{}"[..], 401),
        ("/webhooks/nobody", b"{}", 404),
        ("/elsewhere", b"{}", 404),
        ("/webhooks/gitea", &huge, 413),
        ("/commands", b"no statement", 400),
    ] {
        let status = ask(path, body)?;
        ensure!(status == expected, "{path} with {} bytes was answered {status}", body.len());
    }
    Ok(())
}

/// Nothing was asked for that a role does not allow, and nothing is allowed that is not used.
fn each_function_did_what_its_role_allows_and_all_of_it(cloud: &Cloud) -> Result<()> {
    let gateway = &cloud.stack.services.gateway;
    ensure!(gateway.refused().is_empty(), "{:#?}", gateway.refused());
    let contract = Contract::read()?;
    let made: BTreeSet<_> = gateway.counts().into_keys().collect();
    let listed: BTreeSet<_> = contract
        .functions
        .iter()
        .flat_map(|(name, row)| row.calls.iter().map(move |call| (name.clone(), call.clone())))
        .collect();
    let unused: Vec<_> = listed.difference(&made).filter(|call| !is_for_later(&call.0, &call.1)).collect();
    ensure!(unused.is_empty(), "permissions.json lists calls that nobody made: {unused:#?}");
    let rights = Rights::new(&contract, &cloud.stack.services.installation, CLUSTER);
    let (used, all) = (gateway.used(), rights.all());
    let unused: Vec<_> = all.difference(&used).filter(|right| !is_for_later(&right.0, &right.2)).collect();
    ensure!(unused.is_empty(), "CONTRACT.md gives rights that nobody used: {unused:#?}");
    Ok(())
}

/// `record` lists the parts of a tile when it is full, which takes 256 leaves: the soak has as many.
fn is_for_later(function: &str, what: &str) -> bool {
    function == "record" && ["s3.ListObjectsV2", "l"].contains(&what)
}
