//! From a pull request to *deployed*, through the real programs of all functions, and what each of them may do.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use aws_sdk_sqs::Client;
use countersign_core::keys;
use countersign_core::leaf::{Leaf, Record};
use countersign_core::ports::store::Store as _;
use countersign_ledger::note::{Note, NoteKey};
use countersign_tests::cloud::contract::Contract;
use countersign_tests::cloud::first_day::{CONTROL, Cloud, SHOP};
use countersign_tests::cloud::gateway::rights::Rights;
use countersign_tests::cloud::stack::{CLUSTER, Settings, WITNESS};
use countersign_tests::world::aws::elasticmq::ElasticMq;
use countersign_tests::world::gitea::pull_request::Style;

/// A file that a rule speaks of.
const DEPLOYMENT: &str = "deploy/staging/deployment.yaml";

/// What waits for another function to be built.
const NOT_HERE: [&str; 1] = ["drift"];

#[test]
fn a_change_takes_the_whole_path_through_the_functions() -> Result<()> {
    let cloud = Cloud::start(Settings::default())?;
    let merged = is_denied_mended_approved_and_deployed(&cloud)?;
    what_is_denied_stays_out(&cloud, &merged)?;
    a_change_of_the_control_repository_becomes_active(&cloud)?;
    a_dead_letter_becomes_a_leaf(&cloud)?;
    the_witness_cosigns(&cloud)?;
    requests_that_are_none_are_answered(&cloud)?;
    cloud.audit()?;
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
    // A signed approval, which no forge takes part in.
    let url = format!("http://{}", cloud.stack.api.address);
    shop.say("grace", &["approve", &head, "--server", &url])?;
    cloud.until_runs("staging", &commit).map(drop)
}

/// A change of the rules takes the path of every other change.
fn a_change_of_the_control_repository_becomes_active(cloud: &Cloud) -> Result<()> {
    let control = cloud.clone_of("ada", CONTROL)?;
    control.replace("countersign.yaml", "pollSeconds: 5", "pollSeconds: 6")?;
    let commit = control.commit_all("ada", "Poll less often")?;
    control.push_to("less-often")?;
    let request = cloud.person("ada")?.open(CONTROL, "less-often", "Poll less often")?;
    request.seen_by(cloud.person("grace")?).approve(&commit)?;
    let commit = request.merge(Style::FastForward)?;
    cloud.until(&format!("the bundle of {commit} is active"), || {
        let active = cloud.kept(keys::ACTIVE_BUNDLE)?;
        ensure!(active["commit"] == commit.as_str(), "{active}");
        Ok(())
    })
}

fn a_dead_letter_becomes_a_leaf(cloud: &Cloud) -> Result<()> {
    let queue = |name: &str| {
        let (server, installation) = (ElasticMq::shared()?, &cloud.stack.services.installation);
        anyhow::Ok(format!("{}/000000000000/{installation}-{name}", server.url()))
    };
    let client: Client = cloud.runtime.block_on(ElasticMq::shared()?.client());
    let url = queue("facts.fifo")?;
    let request = client.send_message().queue_url(url).message_group_id("g").message_deduplication_id("d");
    let request = request.message_body(r#"{"v":1,"trace":"ffffffffffffffff","body":"no facts"}"#);
    cloud.runtime.block_on(request.send())?;
    cloud.until("the log tells of the dead letter", || {
        let leaves = cloud.leaves()?;
        let tells = |leaf: &Leaf| matches!(&leaf.record, Record::Rejected(of) if of.reason.contains("not understood"));
        ensure!(leaves.iter().any(|(_, leaf)| tells(leaf)), "it has {} leaves, and none of it", leaves.len());
        Ok(())
    })?;
    let dead = client.receive_message().queue_url(queue("dead-facts.fifo")?).message_attribute_names("All");
    let dead = cloud.runtime.block_on(dead.send())?;
    let dead = dead.messages().first().context("it is not among the dead letters")?;
    let attributes = dead.message_attributes().context("it has no attributes")?;
    ensure!(attributes.contains_key("reason"), "{attributes:?}");
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
        note.verify(&cloud.log_key)?;
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
    let listed = contract.functions.iter().filter(|(name, _)| !NOT_HERE.contains(&name.as_str()));
    let listed: BTreeSet<_> = listed
        .flat_map(|(name, row)| row.calls.iter().map(move |call| (name.clone(), call.clone())))
        .collect();
    let unused: Vec<_> = listed.difference(&made).collect();
    ensure!(unused.is_empty(), "permissions.json lists calls that nobody made: {unused:#?}");
    let rights = Rights::new(&contract, &cloud.stack.services.installation, CLUSTER);
    let (used, all) = (gateway.used(), rights.all(&NOT_HERE));
    let unused: Vec<_> = all.difference(&used).collect();
    ensure!(unused.is_empty(), "CONTRACT.md gives rights that nobody used: {unused:#?}");
    Ok(())
}
