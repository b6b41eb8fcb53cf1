//! Who someone is, by what cannot be renamed or taken over: a numeric account id or a key.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use countersign_core::configuration::Configuration;
use countersign_core::names::{HostName, PersonName};
use countersign_core::review::Identity;
use sha2::{Digest as _, Sha256};

/// The people of a configuration, as one host knows them.
#[derive(Debug, Default)]
pub struct People {
    accounts: BTreeMap<u64, PersonName>,
    keys: BTreeMap<String, PersonName>,
    emails: BTreeMap<String, Vec<PersonName>>,
}

impl People {
    /// The people of `configuration` on `host`.
    #[must_use]
    pub fn of(configuration: &Configuration, host: &HostName) -> Self {
        let mut people = Self::default();
        for (name, person) in &configuration.people {
            if let Some(account) = person.accounts.get(host) {
                people.accounts.insert(*account, name.clone());
            }
            for key in person.keys.iter().filter_map(|key| fingerprint(key)) {
                people.keys.insert(key, name.clone());
            }
            for email in &person.emails {
                people.emails.entry(email.trim().to_lowercase()).or_default().push(name.clone());
            }
        }
        people
    }

    /// Who has this account. This counts.
    #[must_use]
    pub fn by_account(&self, account: Option<u64>) -> Option<&PersonName> {
        self.accounts.get(&account?)
    }

    /// Everyone whom an identity could be: by account, and by a key that nobody verified. This excludes.
    pub fn could_be<'a>(&'a self, identity: &'a Identity) -> impl Iterator<Item = &'a PersonName> {
        let key = identity.key.as_ref().and_then(|key| self.keys.get(key));
        self.by_account(identity.account).into_iter().chain(key)
    }

    /// Everyone whom an e-mail address could be, also one in which a forge hides an account's id. This excludes.
    #[must_use]
    pub fn by_email(&self, email: &str) -> Vec<&PersonName> {
        let email = email.trim().to_lowercase();
        let hidden = email
            .split_once('@')
            .filter(|(_, domain)| domain.contains("noreply"))
            .and_then(|(local, _)| local.split(['+', '-']).next()?.parse().ok());
        let named = self.emails.get(&email).into_iter().flatten();
        named.chain(self.by_account(hidden)).collect()
    }
}

/// The fingerprint of a public key in OpenSSH form, as `ssh-keygen -l` prints it.
#[must_use]
pub fn fingerprint(key: &str) -> Option<String> {
    let blob = BASE64_STANDARD.decode(key.split_whitespace().nth(1)?).ok()?;
    Some(format!("SHA256:{}", BASE64_STANDARD_NO_PAD.encode(Sha256::digest(blob))))
}

/// What evidence says of someone, for people to read.
#[must_use]
pub fn shown_as(identity: &Identity) -> String {
    match (&identity.login, identity.account, &identity.key) {
        (Some(login), Some(account), _) => format!("{login} (account {account})"),
        (Some(login), None, _) => login.clone(),
        (None, Some(account), _) => format!("account {account}"),
        (None, None, Some(key)) => format!("key {key}"),
        (None, None, None) => "someone unknown".to_owned(),
    }
}
