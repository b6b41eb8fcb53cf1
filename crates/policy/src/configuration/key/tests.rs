use super::*;

const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHXcG69j3h44/+MQEWAQ13R6ryoA/u/BjSkg5Ubd+q5O";
const P256: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHip85DAmjkfJh5wuBo9m2ZCqyUCnQxtOvX3fmno2YFA8cPLRHNqFX6lyRI+Mbyw9/ggRH15Ix55+fz9zOnfpcM=";
const P384: &str = "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBBmQNiVzZqx9tPsmrY3+E/wna5uJm5ZOgNyshWzZJRg9hPMVNiMC/wrDDIjk3fqRhK0+AQBhfbW30XxmkcdUulbpVEaSoGDOlrBRafqpzQSPdnZKmxESEYEsdfvhwPNwEg==";
const P521: &str = "ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAGgBjq2gWxSYWsXd5OxIT2yIWo7oJ41LAGuUcbgegsPSKr4nqudvqqrxmP+GmmeoFMzElro/lBuYUb36Z+KZQBjkAHiwJ1S4vFR37a3Oug1ISJBWQdczfKA8TNzQolib8LeMxuCzey77lkYT3cwgHeSdU0LYGo0fTQNNIv1beoqSwNPVQ==";
const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQD4gTZiFWbgZHbS0S/CBCU/i4+Yil1bmxDncRa3e6uR7DJ7btRZLCOvzq//FY5FVipHsVmH6ZhpGTRcP6htFiP/UX2LHeBZQUsCdnFdB4VSdcIfjM9nrV30z+HZImUkCbwJC5bPwchKJ9C9wVojLsvDL0KRDOr4fSZbAX5VoY0rEgj/xpsQHhAY9YqINqIuuyPMgNUE9jRjeuW5zDN+Gmk2RFGOZqBLHbqQ4H4p69qlBjW10e3aTj/NVLnCI6njnkgvq8GX19zdtICSr1tY5G1PTb3DWT2olziepk10JHZabsKatwrYgOSSiYG4oyjXV5PZhEXpVgQJHvXWn27kwKqn";
const RSA_1024: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC/+FYYsgvC8F+CihY3SraJ22Wv2coiB6p8M/fpCyYpx07i2DX8putjDWToepjOHEyUS6vDxs/ujKJEm6NPw1htuBcFUokATpH91i66f1MiDdfTERz/aswP3E+Ji2YEdAZAAu1ByUCUBqvWi6yfhHFqFRAMxRNaZkpXclV7g1Zklw==";

#[test]
fn keys_that_ssh_keygen_makes_are_accepted() {
    for key in [ED25519, P256, P384, RSA] {
        assert_eq!(blob(key), blob(&format!("{key} someone@example.com, at work")), "{key}");
        assert!(blob(key).is_ok(), "{key}");
    }
}

#[test]
fn what_is_not_a_good_key_is_refused_with_its_reason() {
    let base64 = ED25519.split_once(' ').unwrap().1;
    let longer = STANDARD.encode([STANDARD.decode(base64).unwrap(), vec![0; 4]].concat());
    let table = [
        ("", BadKey::NotOpenSsh),
        (base64, BadKey::NotOpenSsh),
        ("hunter2 hunter3", BadKey::NotOpenSsh),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", BadKey::Private),
        (P521, BadKey::Algorithm("ecdsa-sha2-nistp521".into())),
        ("ssh-dss AAAA", BadKey::Algorithm("ssh-dss".into())),
        ("ssh-ed25519 AAAA", BadKey::Content("ssh-ed25519")),
        ("ssh-ed25519 !!!!", BadKey::Content("ssh-ed25519")),
        (&format!("ssh-rsa {base64}"), BadKey::Content("ssh-rsa")),
        (&format!("ssh-ed25519 {}", &base64[..base64.len() - 4]), BadKey::Content("ssh-ed25519")),
        (&format!("ssh-ed25519 {longer}"), BadKey::Content("ssh-ed25519")),
        (&P256.replace("nistp256 ", "nistp384 "), BadKey::Content("ecdsa-sha2-nistp384")),
        (&format!("{ED25519}\nssh-ed25519 x"), BadKey::NotOpenSsh),
        (RSA_1024, BadKey::Weak),
    ];
    for (text, expected) in table {
        assert_eq!(blob(text), Err(expected), "{text}");
    }
}
