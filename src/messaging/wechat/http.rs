//! One request, one bounded answer, or the fault that came between.

use super::answer::{Answer, BODY_BYTES_MAX, Fault};
use super::{Settings, SettingsError};
use crate::messaging::Permit;
use http_body::{Frame, SizeHint};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Certificate, Client, Method, Request, Url};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

/// The client of the API: a pool of kept-alive HTTP/1.1 connections.
#[derive(Clone)]
pub(super) struct Http {
    client: Client,
}

impl Http {
    /// Builds the client. All that could surprise is said here and not left to defaults: no
    /// redirects (one is no success), no proxies from the environment (what is not in the
    /// configuration file does not decide where medical data go), no referrer, no retries. Below
    /// this client, hyper itself repeats a request whose kept-alive connection was found closed
    /// before the first byte of it was written, and no other.
    pub(super) fn new(settings: &Settings, base: &Url) -> Result<Self, SettingsError> {
        super::super::install_crypto_provider();
        let mut builder = Client::builder()
            .user_agent(concat!("dosed/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .no_proxy()
            .http1_only()
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_secs(60))
            .pool_max_idle_per_host(settings.concurrency.max(1))
            // A connection that the other end is about to close is the commonest cause of an
            // unknown outcome: servers keep idle ones for a minute or more, so this closes first.
            .pool_idle_timeout(Duration::from_secs(30))
            .connect_timeout(settings.timeout / 2)
            .timeout(settings.timeout);
        let own_roots = match &settings.ca_pem {
            Some(pem) => read_certificates(pem)?,
            None => Vec::new(),
        };
        builder = if base.scheme() == "http" {
            // No platform roots are loaded where none can be needed: a machine without them works.
            builder.tls_certs_only([])
        } else if own_roots.is_empty() {
            builder
        } else {
            builder.tls_certs_merge(own_roots)
        };
        let client = builder.build().map_err(|_| SettingsError::NoRoots)?;
        Ok(Self { client })
    }

    /// Posts a JSON body and reads the answer.
    pub(super) async fn post(&self, url: Url, body: bytes::Bytes) -> Result<Answer, Fault> {
        self.exchange(url, body.into()).await
    }

    /// As [`Http::post`], for a body that only leaves while `permit` holds: it is asked when the
    /// connection is there, and nothing of the request has been written yet.
    pub(super) async fn post_if(
        &self,
        url: Url,
        body: bytes::Bytes,
        permit: &Permit,
    ) -> Result<Answer, Fault> {
        let refused = Arc::new(AtomicBool::new(false));
        let guarded = Guarded {
            body: Some(body),
            permit: permit.clone(),
            refused: Arc::clone(&refused),
        };
        let answer = self.exchange(url, reqwest::Body::wrap(guarded)).await;
        if refused.load(Ordering::Acquire) {
            return Err(Fault::NotPermitted);
        }
        answer
    }

    async fn exchange(&self, url: Url, body: reqwest::Body) -> Result<Answer, Fault> {
        let mut request = Request::new(Method::POST, url);
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(body);
        // An error of the client names the URL, and with it the token: it is classified here and
        // dropped.
        let mut response = self
            .client
            .execute(request)
            .await
            .map_err(|error| fault(&error))?;
        if response
            .content_length()
            .is_some_and(|bytes| bytes > BODY_BYTES_MAX as u64)
        {
            return Err(Fault::Oversized);
        }
        let status = response.status().as_u16();
        // An answer fits one chunk, which then is the body as it stands.
        let mut body = match response.chunk().await.map_err(|error| fault(&error))? {
            Some(first) => first,
            None => bytes::Bytes::new(),
        };
        while let Some(chunk) = response.chunk().await.map_err(|error| fault(&error))? {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(Fault::Oversized);
            }
            body = [body, chunk].concat().into();
        }
        Answer::read(status, &body)
    }
}

/// A request body that asks for its permit when the connection wants it: the client polls a body
/// only once it is connected, and writes the head together with the body's first part.
struct Guarded {
    body: Option<bytes::Bytes>,
    permit: Permit,
    refused: Arc<AtomicBool>,
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
        if self.permit.holds() {
            Poll::Ready(Some(Ok(Frame::data(body))))
        } else {
            self.refused.store(true, Ordering::Release);
            Poll::Ready(Some(Err(NotPermitted)))
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.as_ref().map_or(0, |body| body.len() as u64))
    }
}

/// Where an error of the client leaves the request. Connecting has a shorter limit than the
/// whole, so a connection that takes too long to make is never mistaken for a lost answer.
fn fault(error: &reqwest::Error) -> Fault {
    if error.is_connect() {
        Fault::NoConnection
    } else if error.is_timeout() {
        Fault::Timeout
    } else {
        Fault::Dropped
    }
}

/// Reads certificates and makes sure that each can be a root, so that a client that then cannot
/// be built lacks the platform's.
fn read_certificates(pem: &[u8]) -> Result<Vec<Certificate>, SettingsError> {
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_slice_iter(pem)
        .map(|der| {
            let der = der.map_err(|_| SettingsError::Certificates)?;
            let certificate =
                Certificate::from_der(&der).map_err(|_| SettingsError::Certificates)?;
            roots.add(der).map_err(|_| SettingsError::Certificates)?;
            Ok(certificate)
        })
        .collect::<Result<Vec<_>, SettingsError>>()?;
    if certificates.is_empty() {
        return Err(SettingsError::Certificates);
    }
    Ok(certificates)
}
