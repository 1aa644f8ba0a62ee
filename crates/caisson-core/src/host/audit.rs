//! The record of what happened: read, followed, exported, checked.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{Host, anchors};
use crate::{
    audit::{Anchor, AuditQuery, Part, Take},
    control::{
        Notices,
        api::{
            ApiError, AuditAnchor, AuditExport, AuditFilter, AuditList, AuditReport, CheckAudit, ErrorCode,
            ExportAudit, NoticeBody, ReadAudit,
        },
    },
    model::ServerName,
};

/// Entries given where nobody says how many.
const USUAL: u32 = 100;
/// Entries given at once to who wants all.
const AT_ONCE: u32 = 5000;
/// What follows within that is told together.
const TOGETHER: Duration = Duration::from_millis(100);

impl Host {
    /// Entries, and what sends the later ones.
    pub(super) async fn read_audit(
        &self,
        read: ReadAudit,
        notices: Notices,
    ) -> Result<(AuditList, Option<impl Future<Output = ()> + Send + use<>>), ApiError> {
        let ReadAudit { filter, last, follow } = read;
        let audit = self.0.audit.clone();
        let length = audit.length();
        let known = audit.head().await?.entry;
        let query = AuditQuery { limit: last.unwrap_or(USUAL), ..query(filter) };
        let entries = audit.read(query.clone()).await?;
        let known = entries.last().map_or(known, |last| last.seq.max(known));
        let follow = follow.then(|| {
            let host = self.clone();
            async move { host.follow_audit(query, known, length, notices).await }
        });
        Ok((AuditList { entries }, follow))
    }

    /// Sends entries as they are written. They are read from the record, so that none is lost on who reads slowly.
    async fn follow_audit(
        self,
        query: AuditQuery,
        mut known: u64,
        mut length: tokio::sync::watch::Receiver<u64>,
        notices: Notices,
    ) {
        loop {
            if *length.borrow_and_update() <= known && length.changed().await.is_err() {
                return;
            }
            let upto = *length.borrow();
            let later = AuditQuery {
                after: Some(known),
                before: Some(upto.saturating_add(1)),
                limit: AT_ONCE,
                take: Take::Earliest,
                ..query.clone()
            };
            let entries = match self.0.audit.read(later).await {
                Ok(entries) => entries,
                Err(error) => return tracing::warn!(%error, "the audit is not followed any more"),
            };
            let all = entries.len() < usize::try_from(AT_ONCE).unwrap_or(usize::MAX);
            known = entries.last().filter(|_| !all).map_or(upto, |last| last.seq);
            for entry in entries {
                if !notices.send(NoticeBody::Audit(Box::new(entry))).await {
                    return;
                }
            }
            sleep(TOGETHER).await;
        }
    }

    pub(super) async fn export_audit(&self, export: ExportAudit) -> Result<AuditExport, ApiError> {
        let query = AuditQuery { limit: AT_ONCE, take: Take::Earliest, ..query(export.filter) };
        Ok(AuditExport { entries: self.0.audit.export(query).await? })
    }

    pub(super) async fn check_audit(&self, check: CheckAudit) -> Result<AuditReport, ApiError> {
        let given: Result<Vec<Anchor>, _> = check.anchors.iter().map(|anchor| anchor.parse()).collect();
        let mut anchors = given.map_err(|error| ApiError::new(ErrorCode::Invalid, error.to_string()))?;
        let kept = self.0.anchors.known().await?;
        let kept_in = kept.iter().map(|(place, _)| (*place).to_owned()).collect();
        anchors.extend(kept.into_iter().map(|(_, anchor)| anchor));
        let check = self.0.audit.check(anchors).await?;
        Ok(AuditReport { problem: check.fault.as_ref().map(ToString::to_string), check, kept_in })
    }

    pub(super) async fn anchor_audit(&self, renew: bool) -> Result<AuditAnchor, ApiError> {
        if renew {
            self.0.audit.configured(None, Part::Audit, "", "taken as it is from here on");
            self.0.anchors.renew().await?;
        }
        Ok(AuditAnchor { anchor: self.0.audit.head().await?.to_string() })
    }

    /// Keeps where the record ends, again and again. Runs for as long as it is not aborted.
    pub(super) async fn keep_anchors(self) {
        let mut ticks = interval(anchors::EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.keep_anchor().await;
        }
    }

    pub(super) async fn keep_anchor(&self) {
        if let Err(error) = self.0.anchors.keep().await {
            tracing::warn!(%error, "where the audit ends was not kept");
        }
    }

    /// Notes that the user has changed what holds: of this server, or of none.
    pub(super) fn configured(&self, server: Option<&ServerName>, part: Part, name: &str, change: &str) {
        self.0.audit.configured(server, part, name, change);
    }
}

fn query(filter: AuditFilter) -> AuditQuery {
    let AuditFilter { server, after, before, since, until, client, tool, kinds, text } = filter;
    AuditQuery {
        server,
        after,
        before,
        since,
        until,
        client,
        tool,
        kinds,
        text,
        limit: 0,
        take: Take::Latest,
    }
}
