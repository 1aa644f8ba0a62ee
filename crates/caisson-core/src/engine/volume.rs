//! Volumes: named, labelled, and owned by whom they are for.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use bollard::{models::VolumeCreateRequest, query_parameters::RemoveVolumeOptionsBuilder};

use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::{
    Engine, EngineError, EngineKind, Tar,
    archive::{Entry, INSIDE, pack},
    client::QUICK,
    create::userns,
    error::tidy,
};
use crate::{
    model::utc,
    sandbox::{Plan, UserNamespace},
};

/// So long a container that has ended may still have its volumes.
const LETTING_GO: Duration = Duration::from_secs(4);

/// A volume of a home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OurVolume {
    /// Its name.
    pub name: String,
    /// When it was made, in seconds since 1970 (UTC), where the engine says it.
    pub made: Option<u64>,
}

/// Who a volume belongs to: ids as seen inside the container that will use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// How that container's ids are made.
    pub namespace: UserNamespace,
}

impl Owner {
    /// The user that a plan's processes run as.
    pub fn of(plan: &Plan) -> Self {
        Self { uid: plan.user().uid, gid: plan.user().gid, namespace: plan.user_namespace() }
    }
}

impl Engine {
    /// Makes sure that a volume is there, and that its top folder belongs to `owner` alone (mode 0700). What
    /// is in it already stays as it is.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn ensure_volume(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
        owner: Option<Owner>,
    ) -> Result<(), EngineError> {
        let there = self.find("looking at a volume", self.docker().inspect_volume(name)).await?;
        if there.is_none() {
            let request = VolumeCreateRequest {
                name: Some(name.to_owned()),
                labels: Some(
                    labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect::<HashMap<_, _>>(),
                ),
                ..Default::default()
            };
            self.call("creating a volume", QUICK, self.docker().create_volume(request)).await?;
        }
        match owner {
            Some(owner) => self.own_volume(name, owner).await,
            None => Ok(()),
        }
    }

    async fn own_volume(&self, name: &str, owner: Owner) -> Result<(), EngineError> {
        // Docker skips an archive's own top folder, Podman looks through a volume's mount point only for a path
        // within it: so each is told in the way that it heeds.
        let (at, path) = match self.facts().kind {
            EngineKind::Docker => ("/", &INSIDE[1..]),
            EngineKind::Podman => (INSIDE, "."),
        };
        let path = format!("{path}/");
        let folder = Entry { path: &path, mode: 0o700, uid: owner.uid, gid: owner.gid, bytes: &[] };
        let archive = pack(&[folder]).map_err(|error| EngineError::Refused {
            action: "giving a volume its owner",
            text: tidy(&error.to_string()),
        })?;
        let helper = self.helper(name, None, userns(owner.namespace)).await?;
        self.put_archive(helper.id(), at, Tar::bytes(archive)).await?;
        helper.remove().await
    }

    /// The volumes with the label `dev.caisson.home` of this value.
    ///
    /// # Errors
    /// When the engine cannot tell.
    pub async fn volumes_of(&self, home_id: &str) -> Result<Vec<OurVolume>, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct All {
            volumes: Option<Vec<Listed>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Listed {
            name: String,
            created_at: Option<String>,
        }
        let filters = serde_json::json!({ "label": [format!("dev.caisson.home={home_id}")] }).to_string();
        let query: String = filters.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let path = format!("/v{}/volumes?filters={query}", self.facts().api_version);
        let all: All = self.read("listing volumes", &path).await?;
        let ours = all.volumes.unwrap_or_default().into_iter().map(|listed| OurVolume {
            made: listed.created_at.as_deref().and_then(utc::seconds),
            name: listed.name,
        });
        Ok(ours.collect())
    }

    /// Removes a volume and all that is in it, and says whether it was there.
    ///
    /// # Errors
    /// [`EngineError::InUse`] while a container has it.
    pub async fn remove_volume(&self, name: &str) -> Result<bool, EngineError> {
        let began = Instant::now();
        loop {
            let options = RemoveVolumeOptionsBuilder::new().build();
            match self.find("removing a volume", self.docker().remove_volume(name, Some(options))).await {
                // Docker tells that a container has ended before it has removed it.
                Err(EngineError::InUse(_)) if began.elapsed() < LETTING_GO => sleep(LETTING_GO / 20).await,
                removed => return Ok(removed?.is_some()),
            }
        }
    }
}
