//! How others reach the outside: a network of the engine's, and on it a proxy in a container, as ToolHive has one beside
//! each server.

use std::{
    net::{IpAddr, TcpStream},
    time::{Duration, Instant},
};

use caisson_tests::programs;

use crate::{
    Fallible,
    stage::{LABEL, Stage, mark},
};

/// An image with curl and squid, which `scripts/setup bench` made.
pub(crate) const IMAGE: &str = "localhost/caisson-bench:1";
/// So long squid may take to listen.
const START: Duration = Duration::from_secs(20);
/// Whose the proxy's container is.
const PROXY: &str = "squid";

/// When it is dropped, network and proxy are gone.
pub(crate) struct Network<'a> {
    stage: &'a Stage,
    name: String,
    /// This machine's address on it.
    pub(crate) gateway: IpAddr,
    /// The proxy, as an address for curl.
    pub(crate) proxy: String,
}

impl<'a> Network<'a> {
    /// Makes a network without a way out but to this machine, and the proxy on it.
    pub(crate) fn make(stage: &'a Stage) -> Fallible<Self> {
        if stage.engine_says(&["image", "inspect", "--format", "{{.Id}}", IMAGE]).is_err() {
            let file = programs::installed("bench/image.tar");
            stage.engine_says(&["import", &file.to_string_lossy(), IMAGE])?;
        }
        let name = format!("caisson-bench-{}", std::process::id());
        stage.engine_says(&["network", "create", "--internal", &name])?;
        let mut network = Self { stage, name, gateway: IpAddr::from([0, 0, 0, 0]), proxy: String::new() };
        let inspect = ["network", "inspect", &network.name];
        let told: serde_json::Value = serde_json::from_str(&stage.engine_says(&inspect)?)?;
        let podman = &told[0]["subnets"][0]["gateway"];
        let docker = &told[0]["IPAM"]["Config"][0]["Gateway"];
        let gateway = podman.as_str().or(docker.as_str()).ok_or("a network has a gateway")?;
        network.gateway = gateway.split('/').next().unwrap_or_default().parse()?;
        network.proxy = network.start_proxy()?;
        Ok(network)
    }

    fn start_proxy(&self) -> Fallible<String> {
        // Nothing is kept, nothing is written down: it does what every proxy must, and no more.
        let configuration = format!(
            "http_port 3128\nacl outside dst {}\nhttp_access allow outside\nhttp_access deny all\ncache deny all\n\
             access_log none\ncache_log /dev/null\npid_filename none\nshutdown_lifetime 0 seconds\n",
            self.gateway
        );
        let script =
            format!("printf '%s' '{configuration}' > /tmp/squid.conf && exec squid -N -f /tmp/squid.conf");
        let label = format!("{LABEL}={}", mark(PROXY));
        let run = ["run", "-d", "--rm", "--network", &self.name, "--label", &label];
        let container = self.stage.engine_says(&[&run[..], &[IMAGE, "sh", "-c", &script]].concat())?;
        let address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let address = self.stage.engine_says(&["inspect", "--format", address, container.trim()])?;
        let at = (address.trim().parse::<IpAddr>()?, 3128);
        let begun = Instant::now();
        while TcpStream::connect(at).is_err() {
            if begun.elapsed() > START {
                let logs = self.stage.engine_says(&["logs", container.trim()]).unwrap_or_default();
                return Err(format!("squid does not listen: {logs}").into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(format!("http://{}:3128", at.0))
    }

    /// Runs a script in a container on the network, and gives what it printed.
    pub(crate) fn run(&self, script: &str, proxied: bool) -> Fallible<String> {
        let label = format!("{LABEL}={}", mark(PROXY));
        let proxy = format!("http_proxy={}", self.proxy);
        let mut words = vec!["run", "--rm", "--network", &self.name, "--label", &label];
        if proxied {
            words.extend(["-e", &proxy]);
        }
        words.extend([IMAGE, "sh", "-c", script]);
        self.stage.engine_says(&words)
    }
}

impl Drop for Network<'_> {
    fn drop(&mut self) {
        // What cannot be removed is seen by the next run, which fails loudly.
        drop(self.stage.sweep(PROXY));
        drop(self.stage.engine_says(&["network", "rm", &self.name]));
    }
}
