//! HTTPS with an authority of one's own.

use super::server::{Server, json, token};
use super::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

pub fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("an authority")
}

/// The server side, with a certificate for loopback.
fn acceptor(authority: &CertifiedIssuer<'static, KeyPair>) -> TlsAcceptor {
    crate::messaging::install_crypto_provider();
    let key = KeyPair::generate().expect("a key");
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let certificate = CertificateParams::new(names)
        .expect("parameters")
        .signed_by(&key, authority)
        .expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a server configuration");
    TlsAcceptor::from(Arc::new(config))
}

async fn serving(authority: &CertifiedIssuer<'static, KeyPair>) -> Server {
    Server::start_tls(acceptor(authority), |seen| {
        if seen.is_token() {
            token("T1", 7200)
        } else {
            json(r#"{"errcode":0,"errmsg":"ok","msgid":1}"#)
        }
    })
    .await
}

#[tokio::test]
async fn a_gateway_with_its_own_authority_is_trusted_when_that_is_configured() {
    let authority = authority();
    let server = serving(&authority).await;
    let settings = Settings {
        ca_pem: Some(authority.pem().into_bytes()),
        ..settings(format!("https://{}", server.address))
    };
    let wechat = channel(&settings);
    for id in 0..3 {
        assert_eq!(send(&wechat, id).await.outcome, Outcome::Accepted);
    }
    assert_eq!(server.connections(), 1, "TLS is negotiated once");
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused_before_anything_is_written() {
    let server = serving(&authority()).await;
    let settings = Settings {
        ca_pem: Some(authority().pem().into_bytes()),
        ..settings(format!("https://{}", server.address))
    };
    let verdict = send(&channel(&settings), 1).await;
    assert!(
        matches!(verdict.outcome, Outcome::NoToken(_)),
        "{verdict:?}"
    );
    assert_eq!(verdict.detail, Detail::NoConnection);
    assert_eq!(server.seen().len(), 0);
}

#[test]
fn a_file_without_a_certificate_is_an_error() {
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for pem in ["", "not a certificate", broken] {
        let settings = Settings {
            ca_pem: Some(pem.as_bytes().to_vec()),
            ..settings("https://127.0.0.1:1".into())
        };
        assert!(
            matches!(WeChat::new(&settings), Err(SettingsError::Certificates)),
            "{pem:?}"
        );
    }
}

/// The platform's roots are found by variables of the environment, which a test cannot change for
/// itself: it starts itself once more.
#[test]
fn a_machine_without_roots_needs_them_only_for_https_without_an_authority() {
    const MARK: &str = "DOSED_TEST_WITHOUT_ROOTS";
    if std::env::var_os(MARK).is_none() {
        let here = std::env::current_exe().expect("this test's file");
        let output = std::process::Command::new(here)
            .args(["--exact", "--nocapture"])
            .arg(concat!(
                "messaging::wechat::tests::tls::",
                "a_machine_without_roots_needs_them_only_for_https_without_an_authority"
            ))
            .env(MARK, "1")
            .env("SSL_CERT_FILE", "/nonexistent")
            .env("SSL_CERT_DIR", "/nonexistent")
            .output()
            .expect("this test starts");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(said.contains("1 passed"), "{said}");
        return;
    }
    let https = settings("https://127.0.0.1:1".into());
    assert!(matches!(WeChat::new(&https), Err(SettingsError::NoRoots)));
    let with_authority = Settings {
        ca_pem: Some(authority().pem().into_bytes()),
        ..https
    };
    assert!(WeChat::new(&with_authority).is_ok());
    assert!(WeChat::new(&settings("http://127.0.0.1:1".into())).is_ok());
}
