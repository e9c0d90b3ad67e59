//! TLS in front of a sandbox, with a certificate that only the tests' own authority vouches for.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Takes TLS connections on loopback and passes what they say to another address.
pub struct TlsFront {
    address: SocketAddr,
    authority: String,
    listener: JoinHandle<()>,
}

impl TlsFront {
    pub async fn before(target: SocketAddr) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are good names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"));
        let authority = authority.expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])
            .expect("an address is a good name")
            .signed_by(&key, &authority)
            .expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has the default versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .expect("certificate and key belong together");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let socket = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port of loopback");
        let address = socket.local_addr().expect("a bound socket has an address");
        let listener = tokio::spawn(async move {
            while let Ok((client, _)) = socket.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client that does not trust us goes away, which is its right.
                    let Ok(mut client) = acceptor.accept(client).await else {
                        return;
                    };
                    let Ok(mut server) = TcpStream::connect(target).await else {
                        return;
                    };
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self {
            address,
            authority: authority.pem(),
            listener,
        }
    }

    /// The authority's certificate, for `wechat.ca_file`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// What `wechat.api_base` is to say.
    pub fn base_url(&self) -> String {
        format!("https://{}", self.address)
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.listener.abort();
    }
}
