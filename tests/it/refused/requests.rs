//! Requests that are not what they should be.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use countersign_forge::plain;
use countersign_tests::http::Answer;
use countersign_tests::installation::http::pushed;
use countersign_tests::installation::{Installation, STAGING};
use serde_json::{Value, json};

const WEBHOOK: &str = "/webhooks/local";

fn counter(answer: &str) -> String {
    format!("countersign_requests_total{{answer=\"{answer}\"}}")
}

/// How many messages `gather` has taken.
const GATHERED: &str = "countersign_messages_total{queue=\"events\",result=\"done\"}";

#[track_caller]
fn expect(answer: &Answer, status: u16, text: &str) -> Result<()> {
    ensure!(answer.status == status, "{} instead of {status}: {}", answer.status, answer.text());
    ensure!(answer.text().contains(text), "{text:?} is not said: {}", answer.text());
    Ok(())
}

#[test]
fn a_webhook_must_be_signed_with_the_secret() -> Result<()> {
    let installation = Installation::start()?;
    let gathered = installation.counted(GATHERED)?;
    let commit = installation.clone("shop")?.head()?;
    let body = pushed("one", "shop", &commit).to_string();
    let body = body.as_bytes();
    let wrong = plain::sign(b"another secret", body).context("it signs")?;
    let secret = fs::read_to_string(installation.data().join("keys/webhook-local"))?;
    let right = plain::sign(secret.trim().as_bytes(), body).context("it signs")?;
    let another_algorithm = right.replace("sha256=", "sha1=");
    let of_other_bytes = plain::sign(secret.trim().as_bytes(), b"{}").context("it signs")?;
    let cases: [&[(&str, &str)]; 7] = [
        &[],
        &[(plain::SIGNATURE_HEADER, "")],
        &[(plain::SIGNATURE_HEADER, &wrong)],
        &[(plain::SIGNATURE_HEADER, &another_algorithm)],
        &[(plain::SIGNATURE_HEADER, &of_other_bytes)],
        &[(plain::SIGNATURE_HEADER, right.trim_start_matches("sha256="))],
        &[("X-Hub-Signature-256", &right)],
    ];
    for headers in cases {
        let answer = installation.request("POST", WEBHOOK, headers, body)?;
        expect(&answer, 401, "the webhook").with_context(|| format!("{headers:?}"))?;
    }
    ensure!(installation.counted(&counter("bad_signature"))? == 7, "they are not counted");
    ensure!(installation.counted(GATHERED)? == gathered, "one of them was taken");
    expect(
        &installation.request("POST", WEBHOOK, &[(plain::SIGNATURE_HEADER, &right)], body)?,
        200,
        "accepted",
    )
}

#[test]
fn bodies_are_small_and_well_formed() -> Result<()> {
    let installation = Installation::start()?;
    let large = vec![b' '; 25 * 1024 * 1024 + 1];
    let answer = installation.request("POST", WEBHOOK, &[], &large)?;
    ensure!(answer.status == 413, "{}: {}", answer.status, answer.text());
    let answer = installation.request("POST", "/commands", &[], &large)?;
    ensure!(answer.status == 413, "{}: {}", answer.status, answer.text());
    for body in ["", "{", "[]", "null", "{\"v\":1}", "{\"v\":99}", "\u{feff}{}"] {
        let answer = installation.webhook(body.as_bytes())?;
        ensure!(
            answer.status == 400 && !answer.text().trim().is_empty(),
            "{body:?}: {}: {}",
            answer.status,
            answer.text()
        );
    }
    let answer = installation.webhook(&b"[".repeat(100_000))?;
    ensure!(answer.status == 400, "{}: {}", answer.status, answer.text());
    ensure!(installation.counted(&counter("malformed"))? == 8, "they are not counted");
    ensure!(
        installation.get("/healthz")?.status == 200 && installation.get("/readyz")?.status == 200,
        "it is not well"
    );
    Ok(())
}

#[test]
fn what_is_not_for_us_is_told_and_logged() -> Result<()> {
    let installation = Installation::start()?;
    let secret = installation.data().join("keys/webhook-local");
    let added = installation.change_control("Add a forge", |control| {
        let host = format!(
            "hosts:\n  forge:\n    kind: github\n    url: https://forge.example\n    webhookSecret: \"file:{}\"\n",
            secret.display()
        );
        control.replace("countersign.yaml", "hosts:\n", &host)
    })?;
    installation.until_active(&added)?;

    let elsewhere = pushed("one", "unheard/of", &added).to_string();
    expect(&installation.webhook(elsewhere.as_bytes())?, 202, "local/unheard/of is not in countersign.yaml")?;
    ensure!(installation.log().contains("local/unheard/of"), "it is not logged");
    let body = b"{\"zen\":\"Keep it logically awesome.\"}";
    let signature = plain::sign(fs::read_to_string(&secret)?.trim().as_bytes(), body).context("it signs")?;
    let headers =
        [("X-GitHub-Event", "sponsorship"), ("X-GitHub-Delivery", "d1"), ("X-Hub-Signature-256", &signature)];
    let answer = installation.request("POST", "/webhooks/forge", &headers, body)?;
    expect(&answer, 200, "\"sponsorship\" is not one that Countersign acts on")?;
    let old =
        [("X-GitHub-Event", "push"), ("X-GitHub-Delivery", "d2"), ("X-Hub-Signature", signature.as_str())];
    expect(
        &installation.request("POST", "/webhooks/forge", &old, body)?,
        401,
        "signed with another algorithm",
    )?;
    expect(
        &installation.request("POST", "/webhooks/nowhere", &[], body)?,
        404,
        "no such host in countersign.yaml",
    )?;
    ensure!(installation.counted(&counter("unknown_event"))? == 1, "it is not counted");
    ensure!(installation.counted(&counter("unknown_repository"))? == 1, "it is not counted");
    Ok(())
}

#[test]
fn a_repeated_delivery_has_no_second_effect() -> Result<()> {
    let installation = Installation::start()?;
    let commit = installation.clone("shop")?.head()?;
    let gathered = installation.counted(GATHERED)?;
    let leaves = installation.status()?["log"]["size"].clone();
    let first = pushed("one", "shop", &commit).to_string();
    expect(&installation.webhook(first.as_bytes())?, 200, "accepted")?;
    expect(&installation.webhook(first.as_bytes())?, 200, "this delivery was taken before")?;
    let second = pushed("two", "shop", &commit).to_string();
    expect(&installation.webhook(second.as_bytes())?, 200, "accepted")?;
    // Events of a branch are taken in order: when the last one was taken, a repeat would have been, too.
    installation.until("both events are taken", || {
        Ok((installation.counted(GATHERED)? >= gathered + 2).then_some(()))
    })?;
    ensure!(installation.counted(GATHERED)? == gathered + 2, "the repeat was taken");
    ensure!(installation.counted(&counter("repeated"))? == 1, "it is not counted");
    ensure!(installation.status()?["log"]["size"] == leaves, "something was recorded though nothing changed");
    Ok(())
}

#[test]
fn a_statement_needs_a_key_that_is_known() -> Result<()> {
    let installation = Installation::start()?;
    let shop = installation.clone("shop")?;
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "mallory@example.com", "-f"])
        .arg(installation.folder().join("mallory"))
        .status()?;
    ensure!(made.success(), "ssh-keygen ended with {made}");
    shop.say("mallory", &["hold", STAGING, "--reason", "mine", "--write", "stolen"])?;
    let stolen = fs::read(shop.folder().join("stolen"))?;
    expect(
        &installation.request("POST", "/commands", &[], &stolen)?,
        401,
        "belongs to nobody in countersign.yaml",
    )?;

    shop.say("grace", &["hold", STAGING, "--reason", "mine", "--write", "good"])?;
    let good = fs::read(shop.folder().join("good"))?;
    let altered = String::from_utf8(good.clone())?.replace("\"mine\"", "\"ours\"");
    expect(&installation.request("POST", "/commands", &[], altered.as_bytes())?, 401, "")?;
    expect(&installation.request("POST", "/commands", &[], b"no statement")?, 400, "")?;
    ensure!(installation.target(STAGING)?["hold"].is_null(), "it is held");

    // A command is good for once: said again after the release, it holds nothing.
    expect(&installation.request("POST", "/commands", &[], &good)?, 200, "accepted")?;
    installation.until_target(STAGING, "is held", |state| state["hold"]["reason"] == "mine")?;
    shop.say("grace", &["release", STAGING])?;
    installation.until_target(STAGING, "is released", |state| state["hold"].is_null())?;
    expect(&installation.request("POST", "/commands", &[], &good)?, 200, "accepted")?;
    shop.git(&["fetch", "-q"])?;
    shop.say("grace", &["hold", STAGING, "--reason", "the next"])?;
    let state = installation.until_target(STAGING, "is held", |state| !state["hold"].is_null())?;
    ensure!(state["hold"]["reason"] == "the next", "a spent command held it: {state}");
    Ok(())
}

#[test]
fn the_log_is_served_and_nothing_else_of_the_store() -> Result<()> {
    let installation = Installation::start()?;
    let checkpoint = installation.get("/log/checkpoint")?;
    ensure!(
        checkpoint.status == 200 && checkpoint.text().starts_with("localhost/countersign-"),
        "{}",
        checkpoint.text()
    );
    ensure!(checkpoint.head.to_lowercase().contains("cache-control: no-cache"), "{}", checkpoint.head);
    let url = format!("{}/log", installation.url());
    let audit = installation.json(&["audit", "verify", "--log", &url, "--genesis", "data/genesis.json"])?;
    ensure!(audit["clean"] == true, "{audit}");
    for path in [
        "/log/../state/active-bundle",
        "/log/state/active-bundle",
        "/log/",
        "/log/tile/..%2f..%2fstate",
        "/log/staging",
    ] {
        let answer = installation.get(path)?;
        ensure!(answer.status == 404, "{path}: {}: {}", answer.status, answer.text());
    }
    Ok(())
}

#[test]
fn arguments_that_are_not_understood_are_told_in_the_form_that_was_asked_for() -> Result<()> {
    let installation = Installation::new()?;
    for (arguments, message) in [
        (
            &["status", "--output", "json", "--date", "data"][..],
            "unexpected argument '--date' found; tip: a similar argument exists: '--data'",
        ),
        (&["render", "--output=json"], "the following required arguments were not provided: <PATH>"),
        (
            &["stauts", "--output=json"],
            "unrecognized subcommand 'stauts'; tip: some similar subcommands exist: 'audit', 'status'",
        ),
    ] {
        let output = installation.run(arguments)?;
        let document: Value = serde_json::from_slice(&output.stdout)?;
        ensure!(document == json!({ "error": message }), "{arguments:?}: {document}");
        ensure!(output.status.code() == Some(2) && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
    let output = installation.run(&["status", "--date", "data"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.stdout.is_empty() && said.contains("unexpected argument '--date'"), "{said}");
    let help = installation.run(&["status", "--help", "--output=json"])?;
    ensure!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("Usage"), "{help:?}");
    Ok(())
}
