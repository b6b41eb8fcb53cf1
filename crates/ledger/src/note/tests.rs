use countersign_core::ports::signer::Signer as _;
use proptest::prelude::*;
use signed_note::{StandardSigner, StandardVerifier, VerifierList};

use super::*;
use crate::testing::{ORIGIN, TestSigner, cosign};

fn sign(text: &str, signer: &TestSigner) -> String {
    let key = signer.note_key();
    format!("{text}\n{}", signature_line(&key, &signer.sign_now(text.as_bytes())))
}

fn oracle_accepts(note: &[u8], key: &NoteKey) -> bool {
    let verifier = StandardVerifier::new(&key.to_string()).unwrap();
    let known = VerifierList::new(vec![Box::new(verifier)]);
    signed_note::Note::from_bytes(note).is_ok_and(|note| note.verify(&known).is_ok())
}

fn we_accept(note: &[u8], key: &NoteKey) -> bool {
    let text = std::str::from_utf8(note);
    text.is_ok_and(|text| Note::parse(text).and_then(|note| note.verify(key)).is_ok())
}

#[test]
fn an_established_implementation_accepts_our_notes_and_keys() {
    let signer = TestSigner::ed25519(1);
    for text in ["one line\n", "two\nlines\n", "with\n\nan empty line\n"] {
        let note = sign(text, &signer);
        assert!(oracle_accepts(note.as_bytes(), &signer.note_key()));
        assert_eq!(Note::parse(&note).unwrap().text(), text);
    }
}

#[test]
fn we_accept_notes_and_keys_of_an_established_implementation() {
    let (private, public) = signed_note::generate_key(&mut rand_core::OsRng, "other.example/log");
    let mut note = signed_note::Note::new(b"text\n", &[]).unwrap();
    note.add_sigs(&[&StandardSigner::new(&private).unwrap()]).unwrap();
    let key: NoteKey = public.parse().unwrap();
    assert_eq!((key.to_string(), key.name()), (public, "other.example/log"));
    assert!(we_accept(&note.to_bytes(), &key));
}

#[test]
fn lines_of_other_keys_are_ignored_and_false_lines_of_ours_are_not() {
    let (ours, theirs) = (TestSigner::ed25519(1), TestSigner::ed25519(2));
    let note = sign("text\n", &ours);
    let both = format!("{note}{}", signature_line(&theirs.note_key(), &theirs.sign_now(b"text\n")));
    assert!(we_accept(both.as_bytes(), &ours.note_key()) && we_accept(both.as_bytes(), &theirs.note_key()));
    let false_line = format!("{note}{}", signature_line(&ours.note_key(), &[0; 64]));
    assert!(!we_accept(false_line.as_bytes(), &ours.note_key()));
    let error = Note::parse(&note).unwrap().verify(&theirs.note_key()).unwrap_err().to_string();
    assert!(error.contains(ORIGIN) && error.contains("trusted"), "{error}");
}

#[test]
fn what_is_not_a_note_is_refused() {
    let signer = TestSigner::ed25519(1);
    let good = sign("text\n", &signer);
    let line = good.lines().last().unwrap();
    for wrong in [
        "",
        "\n",
        "text\n",
        "text\n\n",
        "text\n\nno dash\n",
        good.trim_end(),
        &good.replace('\u{2014}', "-"),
        &good.replace("text", "te\rxt"),
        &good.replace('=', ""),
        &format!("text\n\n\u{2014} a+b {}\n", line.rsplit(' ').next().unwrap()),
        &format!("text\n\n{}", format!("{line}\n").repeat(MAX_SIGNATURES + 1)),
        &format!("{}\n\n{line}\n", "x".repeat(MAX_NOTE)),
    ] {
        assert!(matches!(Note::parse(wrong), Err(LedgerError::Malformed { .. })), "{wrong:.80}");
    }
    assert!(Note::parse(&format!("text\n\n{}", format!("{line}\n").repeat(16))).is_ok());
}

#[test]
fn a_verifier_key_that_was_altered_is_refused() {
    let key = TestSigner::ed25519(1).note_key();
    let text = key.to_string();
    assert_eq!(text.parse::<NoteKey>().unwrap(), key);
    assert_eq!(serde_json::from_str::<NoteKey>(&serde_json::to_string(&key).unwrap()).unwrap(), key);
    for at in 0..text.len() {
        let mut altered = text.clone().into_bytes();
        altered[at] ^= 1;
        let altered = String::from_utf8(altered).unwrap();
        assert!(altered.parse::<NoteKey>().is_err(), "{altered}");
    }
    assert!(NoteKey::log("with space", TestSigner::ed25519(1).public_key()).is_err());
    assert!(NoteKey::log(ORIGIN, TestSigner::p256(1).public_key()).is_err());
}

#[test]
fn a_cosignature_is_of_its_time_and_its_witness() {
    let (log, witness) = (TestSigner::ed25519(1), TestSigner::ed25519(2));
    let key = NoteKey::witness("witness.example/w", witness.public_key()).unwrap();
    let note = cosign(&sign("text\n", &log), "witness.example/w", &witness, 1_795_212_000);
    assert!(we_accept(note.as_bytes(), &key) && we_accept(note.as_bytes(), &log.note_key()));
    // The same key under the number of a log's key is another key.
    let same = NoteKey::log("witness.example/w", witness.public_key()).unwrap();
    assert!(!we_accept(note.as_bytes(), &same));
    let mut timed = 1_795_212_001_u64.to_be_bytes().to_vec();
    timed.extend(witness.sign_now(cosigned_message("text\n", 1_795_212_000).as_bytes()));
    let other_time = format!("{}{}", sign("text\n", &log), signature_line(&key, &timed));
    assert!(!we_accept(other_time.as_bytes(), &key));
}

proptest! {
    #[test]
    fn of_an_altered_note_we_think_as_an_established_implementation_does(at: usize, to: u8) {
        let signer = TestSigner::ed25519(1);
        let mut note = sign("one\ntwo\n", &signer).into_bytes();
        let at = at % note.len();
        note[at] = to;
        prop_assert_eq!(we_accept(&note, &signer.note_key()), oracle_accepts(&note, &signer.note_key()));
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in "(\u{2014}|[a-c+=/ \n\r])*") {
        let _ = Note::parse(&text);
        let _ = text.parse::<NoteKey>();
    }
}
