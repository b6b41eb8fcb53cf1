use super::*;

fn command(operation: Operation, person: Option<&str>, command: Command, expires: i64) -> Decision {
    let mut facts = changed(|f| f.change.operation = operation);
    facts.render = Render::None;
    let mut signatures = VerifiedSignatures::default();
    let says = Says::Command { command, expires: at(expires) };
    facts.change.command = Some(say(&mut facts, &mut signatures, person, 50, says));
    decide_with(&starter(), &[], &facts, &signatures, Mode::Enforce)
}

fn hold() -> Command {
    Command::Hold { target: "shop/production/east".parse().unwrap(), reason: "incident 7".into() }
}

fn release() -> Command {
    Command::Release { target: "shop/production/east".parse().unwrap() }
}

#[test]
fn the_team_and_those_of_the_control_repository_hold_and_release() {
    for person in ["ada", "margaret"] {
        let decision = command(Operation::Hold, Some(person), hold(), 200);
        assert_eq!(decision.verdict, Verdict::Allowed, "{}", decision.reason);
        assert_eq!(decision.hold, Some(Hold { reason: "incident 7".into(), since: at(100) }));
        assert!(decision.command.is_some());
        let decision = command(Operation::Release, Some(person), release(), 200);
        assert_eq!((decision.verdict, decision.hold), (Verdict::Allowed, None));
    }
}

#[test]
fn a_command_of_another_person_target_or_time_is_denied() {
    let elsewhere = Command::Release { target: "shop/production/west".parse().unwrap() };
    for (operation, person, asked, expires, expected) in [
        (Operation::Hold, Some("edsger"), hold(), 200, "edsger is neither"),
        (Operation::Hold, None, hold(), 200, "the unknown key"),
        (Operation::Hold, Some("ada"), hold(), 100, "expired"),
        (Operation::Release, Some("ada"), hold(), 200, "something else"),
        (Operation::Release, Some("ada"), elsewhere, 200, "something else"),
    ] {
        let decision = command(operation, person, asked, expires);
        assert!(decision.reason.contains(expected), "{}", decision.reason);
        assert_eq!((decision.verdict, decision.hold), (Verdict::Denied, None));
    }
}

#[test]
fn a_command_without_a_good_signature_is_denied() {
    let mut facts = changed(|f| f.change.operation = Operation::Hold);
    let mut signatures = VerifiedSignatures::default();
    let says = Says::Command { command: hold(), expires: at(200) };
    let id = say(&mut facts, &mut signatures, Some("ada"), 50, says);
    facts.change.command = Some(id);
    signatures.statements.clear();
    signatures.refused.insert(id.to_string(), "the signature is wrong".into());
    let decision = decide_with(&starter(), &[], &facts, &signatures, Mode::Enforce);
    assert!(decision.reason.contains("the signature is wrong"), "{}", decision.reason);
    facts.change.command = None;
    let decision = decide_with(&starter(), &[], &facts, &signatures, Mode::Enforce);
    assert!(decision.reason.contains("no statement"), "{}", decision.reason);
}

#[test]
fn policy_allows_no_recovery() {
    let recover = Command::Recover { commit: commit('c'), bundle: bundle(), replaces: bundle() };
    let decision = command(Operation::Activate, Some("ada"), recover, 200);
    assert_eq!(decision.verdict, Verdict::Denied);
    assert!(
        decision.command.is_some() && decision.reason.contains("only a signature of the root key"),
        "{}",
        decision.reason
    );
}
