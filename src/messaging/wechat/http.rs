//! One request, one bounded answer, or the fault that came between.

use super::answer::{Answer, BODY_BYTES_MAX, Fault};
use super::connector::Connector;
use super::{Settings, SettingsError};
use crate::messaging::Permit;
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::header::{CONTENT_TYPE, DATE, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Uri};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::{BuilderVerifierExt as _, Verifier};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::timeout;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("dosed/", env!("CARGO_PKG_VERSION")));
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The client of the API: a pool of kept-alive HTTP/1.1 connections.
///
/// It is hyper's own, and not reqwest's on top of it: what that adds (redirects, proxies from the
/// environment, cookies, retries, addresses as text) must not happen here, and took half the
/// processor's time of a request.
#[derive(Clone)]
pub(super) struct Http {
    client: Client<Connector, Guarded>,
    connector: Connector,
    /// Requests at the same time.
    concurrency: usize,
    /// Of one request, connecting included.
    timeout: Duration,
}

impl Http {
    /// Builds the client. It follows no redirect (one is no success) and asks no proxy (what is
    /// not in the configuration file does not decide where medical data go). A request whose
    /// kept-alive connection was found closed before the first byte of it was written goes out on
    /// another, and no other request is repeated.
    pub(super) fn new(settings: &Settings, encrypted: bool) -> Result<Self, SettingsError> {
        super::super::install_crypto_provider();
        let own_roots = match &settings.ca_pem {
            Some(pem) => read_certificates(pem)?,
            None => Vec::new(),
        };
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(encrypted, own_roots)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let connector = Connector::new(connector, settings.timeout / 2);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(settings.concurrency.max(1))
            // A connection that the other end is about to close is the commonest cause of an
            // unknown outcome: servers keep idle ones for a minute or more, so this closes first.
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector.clone());
        Ok(Self {
            client,
            connector,
            concurrency: settings.concurrency.max(1),
            timeout: settings.timeout,
        })
    }

    /// Makes connections for so many requests that come within seconds, no more of them than are
    /// made at the same time.
    pub(super) async fn connect_ahead(&self, address: &Uri, requests: usize) {
        let count = requests.min(self.concurrency);
        self.connector.connect_ahead(address, count).await;
    }

    /// Whether a connection that was made ahead is there and open, for tests.
    #[cfg(test)]
    pub(super) fn has_open_ahead(&self) -> bool {
        self.connector.has_open()
    }

    /// Posts a JSON body and reads the answer.
    pub(super) async fn post(&self, url: Uri, body: bytes::Bytes) -> Result<Answer, Fault> {
        self.post_if(url, body, None).await
    }

    /// As [`Http::post`], for a body that only leaves while `permit` holds: it is asked when the
    /// connection is there, and nothing of the request has been written yet.
    pub(super) async fn post_if(
        &self,
        url: Uri,
        body: bytes::Bytes,
        permit: Option<&Permit>,
    ) -> Result<Answer, Fault> {
        let progress = Arc::new(AtomicU8::new(WAITING));
        let mut request = Request::new(Guarded {
            body: Some(body),
            permit: permit.cloned(),
            progress: Arc::clone(&progress),
        });
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url;
        request.headers_mut().insert(USER_AGENT, AGENT);
        request.headers_mut().insert(CONTENT_TYPE, JSON);
        let answer = timeout(self.timeout, self.exchange(request)).await;
        // What has not begun to leave by now never will, whatever the connection still does.
        let came = step(&progress, GIVEN_UP).err().unwrap_or(WAITING);
        match (answer, came) {
            (_, REFUSED) => Err(Fault::NotPermitted),
            (Ok(Ok(answer)), _) => Ok(answer),
            // Whatever the fault was, nothing had been written.
            (_, WAITING) => Err(Fault::NoConnection),
            (Ok(Err(fault)), _) => Err(fault),
            (Err(_), _) => Err(Fault::Timeout),
        }
    }

    /// Asks for an answer, and for the server's clock (the `Date` of its answer).
    pub(super) async fn get(&self, url: Uri) -> Result<(Answer, Option<Timestamp>), Fault> {
        let mut request = Request::new(Guarded {
            body: None,
            permit: None,
            progress: Arc::new(AtomicU8::new(WAITING)),
        });
        *request.uri_mut() = url;
        request.headers_mut().insert(USER_AGENT, AGENT);
        let answered = timeout(self.timeout, self.exchange_dated(request)).await;
        answered.unwrap_or(Err(Fault::Timeout))
    }

    /// An error of the client may name the address, and with it the token: it is classified here
    /// and dropped.
    async fn exchange(&self, request: Request<Guarded>) -> Result<Answer, Fault> {
        self.exchange_dated(request).await.map(|(answer, _)| answer)
    }

    async fn exchange_dated(
        &self,
        request: Request<Guarded>,
    ) -> Result<(Answer, Option<Timestamp>), Fault> {
        let response = match self.client.request(request).await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Err(Fault::NoConnection),
            Err(_) => return Err(Fault::Dropped),
        };
        let status = response.status().as_u16();
        let date = response.headers().get(DATE).and_then(|date| {
            let date = jiff::fmt::rfc2822::parse(date.to_str().ok()?).ok()?;
            Some(date.timestamp())
        });
        let body = Limited::new(response.into_body(), BODY_BYTES_MAX);
        let body = body.collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Fault::Oversized
            } else {
                Fault::Dropped
            }
        })?;
        Answer::read(status, &body.to_bytes()).map(|answer| (answer, date))
    }
}

/// How servers are believed. Where nothing is encrypted no platform's roots are loaded: a machine
/// without them works.
pub(super) fn tls(
    encrypted: bool,
    own_roots: Vec<CertificateDer<'static>>,
) -> Result<ClientConfig, SettingsError> {
    let builder = ClientConfig::builder();
    if !encrypted {
        let nobody = RootCertStore::empty();
        return Ok(builder.with_root_certificates(nobody).with_no_client_auth());
    }
    if own_roots.is_empty() {
        let builder = builder.with_platform_verifier();
        let builder = builder.map_err(|_| SettingsError::NoRoots)?;
        return Ok(builder.with_no_client_auth());
    }
    let provider = Arc::clone(builder.crypto_provider());
    let verifier = Verifier::new_with_extra_roots(own_roots, provider);
    let verifier = verifier.map_err(|_| SettingsError::NoRoots)?;
    let builder = builder.dangerous();
    let builder = builder.with_custom_certificate_verifier(Arc::new(verifier));
    Ok(builder.with_no_client_auth())
}

/// How far a request has come: not to the connection yet,
const WAITING: u8 = 0;
/// to being written, so that the API may have it,
const LEAVING: u8 = 1;
/// to a permit that did not hold any more,
const REFUSED: u8 = 2;
/// or it was given up while it waited.
const GIVEN_UP: u8 = 3;

/// Goes on from [`WAITING`], once; or says how far it has come.
fn step(progress: &AtomicU8, to: u8) -> Result<u8, u8> {
    progress.compare_exchange(WAITING, to, Ordering::AcqRel, Ordering::Acquire)
}

/// A request body that asks for its permit when the connection wants it: the client polls a body
/// only once it is connected, and writes the head together with the body's first part.
struct Guarded {
    body: Option<bytes::Bytes>,
    permit: Option<Permit>,
    progress: Arc<AtomicU8>,
}

/// The permit of a message did not hold any more.
#[derive(Debug, thiserror::Error)]
#[error("the message's time is over")]
struct NotPermitted;

impl http_body::Body for Guarded {
    type Data = bytes::Bytes;
    type Error = NotPermitted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, NotPermitted>>> {
        let Some(body) = self.body.take() else {
            return Poll::Ready(None);
        };
        if !self.permit.as_ref().is_none_or(Permit::holds) {
            let _ = step(&self.progress, REFUSED);
            return Poll::Ready(Some(Err(NotPermitted)));
        }
        // Whoever waited for it may have given it up, and said that it did not leave.
        let begins = step(&self.progress, LEAVING).map(|_| Frame::data(body));
        Poll::Ready(Some(begins.map_err(|_| NotPermitted)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.as_ref().map_or(0, |body| body.len() as u64))
    }
}

/// Reads certificates and makes sure that each can be a root, so that a client that then cannot
/// be built lacks the platform's.
fn read_certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_slice_iter(pem)
        .map(|der| {
            let der = der.map_err(|_| SettingsError::Certificates)?;
            roots
                .add(der.clone())
                .map_err(|_| SettingsError::Certificates)?;
            Ok(der)
        })
        .collect::<Result<Vec<_>, SettingsError>>()?;
    if certificates.is_empty() {
        return Err(SettingsError::Certificates);
    }
    Ok(certificates)
}
