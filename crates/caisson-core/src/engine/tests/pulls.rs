//! A registry in memory. Podman wants TLS of every registry unless its configuration says otherwise, so these
//! run on Docker alone, which takes 127.0.0.1 as it is.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, StatusCode, body::Incoming, header, service::service_fn};
use hyper_util::rt::TokioIo;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::{
    engine::EngineError,
    model::{Progress, ProgressSink},
};

on_engines!([docker] pulled, other_platform, no_such_tag);

type Blobs = std::sync::Arc<BTreeMap<String, (String, Vec<u8>)>>;

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Serves one image, `server:1`, made for `arch`. Gives its name up to the tag, and its digest.
async fn registry(real: &Real, arch: &str) -> (String, String) {
    const DOCKER: &str = "application/vnd.docker";
    let file = Entry { path: "hello", mode: 0o644, uid: 0, gid: 0, bytes: real.home_id.as_bytes() };
    let layer = pack(&[file]).unwrap().to_vec();
    let config = serde_json::json!({
        "architecture": arch, "os": "linux", "config": { "Cmd": ["/hello"] },
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    });
    let config = config.to_string().into_bytes();
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": format!("{DOCKER}.distribution.manifest.v2+json"),
        "config": {
            "mediaType": format!("{DOCKER}.container.image.v1+json"),
            "size": config.len(), "digest": digest(&config),
        },
        "layers": [{
            "mediaType": format!("{DOCKER}.image.rootfs.diff.tar.gzip"),
            "size": layer.len(), "digest": digest(&layer),
        }],
    });
    let manifest = manifest.to_string().into_bytes();
    let name = digest(&manifest);
    let mut blobs = BTreeMap::new();
    for (at, kind, bytes) in [
        ("/v2/".to_owned(), "application/json".to_owned(), b"{}".to_vec()),
        (
            "/v2/server/manifests/1".into(),
            format!("{DOCKER}.distribution.manifest.v2+json"),
            manifest.clone(),
        ),
        (format!("/v2/server/manifests/{name}"), format!("{DOCKER}.distribution.manifest.v2+json"), manifest),
        (format!("/v2/server/blobs/{}", digest(&config)), "application/octet-stream".into(), config.clone()),
        (format!("/v2/server/blobs/{}", digest(&layer)), "application/octet-stream".into(), layer.clone()),
    ] {
        blobs.insert(at, (kind, bytes));
    }
    let blobs = Blobs::new(blobs);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let blobs = blobs.clone();
            let service = service_fn(move |request| {
                let answer = answer(&blobs, &request);
                async move { answer }
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    (format!("{place}/server"), name)
}

fn answer(blobs: &Blobs, request: &Request<Incoming>) -> hyper::http::Result<Response<Full<Bytes>>> {
    match blobs.get(request.uri().path()) {
        Some((kind, bytes)) => Response::builder()
            .header(header::CONTENT_TYPE, kind)
            .header("docker-content-digest", digest(bytes))
            .body(Full::from(bytes.clone())),
        None => Response::builder()
            .status(StatusCode::NOT_FOUND)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(
                "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest unknown\"}]}",
            )),
    }
}

/// By tag and by digest, with progress; what came has the registry's digest.
async fn pulled(real: Real) {
    let (name, digest) = registry(&real, &real.facts().arch).await;
    let (sink, mut progress) = ProgressSink::channel();
    let image = real.engine.pull(&format!("{name}:1"), &sink).await.unwrap();
    assert_eq!(image.repo_digest.as_deref(), Some(format!("{name}@{digest}").as_str()));
    assert_eq!(image.cmd, ["/hello"]);
    let again = real.engine.pull(&format!("{name}@{digest}"), &sink).await.unwrap();
    assert_eq!(again.id, image.id);
    drop(sink);
    let mut told: Vec<Progress> = Vec::new();
    while let Some(step) = progress.recv().await {
        told.push(step);
    }
    assert!(told.iter().any(|step| step.fraction.is_some_and(|fraction| fraction > 0.0)), "{told:?}");
    real.engine.remove_image(&image.id).await.unwrap();
}

async fn other_platform(real: Real) {
    let (name, _) = registry(&real, "s390x").await;
    let error = real.engine.pull(&format!("{name}:1"), &ProgressSink::nobody()).await.unwrap_err();
    assert!(matches!(error, EngineError::PlatformMismatch { .. }), "{error:?}");
}

async fn no_such_tag(real: Real) {
    let (name, _) = registry(&real, "amd64").await;
    let error = real.engine.pull(&format!("{name}:2"), &ProgressSink::nobody()).await.unwrap_err();
    assert!(matches!(error, EngineError::NotFound(_)), "{error:?}");
}
