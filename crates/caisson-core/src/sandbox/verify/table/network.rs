use super::Row;

const NETWORK_OR_CALLS: &[&str] = &["System calls", "Capabilities"];

pub(super) const NETWORK: &[Row] = &[
    ("raw-socket", "A raw socket, to forge packets.", NETWORK_OR_CALLS),
    ("packet-socket", "A packet socket, to read and write below the network's protocols.", NETWORK_OR_CALLS),
    ("vsock-socket", "A socket to the hypervisor.", &["System calls"]),
    ("bluetooth-socket", "A Bluetooth socket.", &["System calls"]),
    (
        "crypto-socket",
        "A socket to the kernel's ciphers, a part of the kernel that few need.",
        &["System calls"],
    ),
    ("interfaces", "Looked for a network interface beside loopback.", &["Network"]),
    ("routes", "Looked for a route out of loopback.", &["Network"]),
    ("public-address", "Connected to addresses of the internet.", &["Network"]),
    ("dns-outside", "Sent a question to name servers outside.", &["Network"]),
    ("metadata-ipv4", "Connected to the addresses at which clouds hand out credentials.", &["Network"]),
    ("metadata-ipv6", "Connected to those addresses by IPv6.", &["Network"]),
    ("host-gateway", "Connected to the host at the gateways engines give it.", &["Network"]),
    ("other-containers", "Connected to other containers at the addresses engines give them.", &["Network"]),
    ("multicast", "Sent to everybody on the local network.", &["Network"]),
    (
        "host-loopback",
        "Connected to a port of the host's loopback, on which Caisson listens for it.",
        &["Network"],
    ),
];

const HOSTS: &[&str] = &["Hosts", "Host"];

pub(super) const NAMES: &[Row] = &[
    ("dns-unknown-name", "Asked for a name that is not allowed.", HOSTS),
    ("dns-any", "Asked for everything about a name that is not allowed.", HOSTS),
    ("dns-tunnel-txt", "Hid data in a question for text (TXT).", HOSTS),
    ("dns-tunnel-null", "Hid data in a question for a record of any content (NULL).", HOSTS),
    ("dns-tunnel-long", "Hid data in the longest name there can be.", HOSTS),
    ("dns-tunnel-tcp", "Hid data in a question over TCP.", HOSTS),
    ("dns-reverse", "Asked for the name of an address.", HOSTS),
    ("dns-engine-names", "Asked for the names by which engines tell containers of the host.", HOSTS),
    ("dns-below-allowed", "Hid data below a name that is allowed.", HOSTS),
];

pub(super) const PROXY: &[Row] = &[
    ("proxy-unknown-host", "Asked the proxy for a host that is not allowed.", HOSTS),
    ("proxy-address", "Asked the proxy for addresses of the internet, in three spellings.", HOSTS),
    ("proxy-metadata", "Asked the proxy for the metadata addresses of clouds.", HOSTS),
    ("proxy-host-loopback", "Asked the proxy for the host's loopback, in eight spellings.", HOSTS),
    ("proxy-other-port", "Asked the proxy for another port of a host that is allowed.", HOSTS),
    ("proxy-request", "Sent the proxy a whole request for a metadata address.", HOSTS),
];

pub(super) const NEIGHBOURS: &[Row] = &[
    (
        "engine-sockets",
        "Looked for the sockets of container engines, and of what else would start a program outside.",
        &["Root folder"],
    ),
    ("engine-ports", "Connected to the ports of engines and clusters.", &["Network"]),
    (
        "caisson-files",
        "Looked for Caisson's own files, its control socket and the engine's socket.",
        &["Root folder"],
    ),
    ("keychain", "Looked for a session bus, a keyring, an agent with keys, or a display.", &["Root folder"]),
    (
        "abstract-socket",
        "Connected to a socket without a file, on which Caisson listens for it.",
        &["Network"],
    ),
    ("abstract-list", "Looked for sockets without a file.", &["Network"]),
    ("host-processes", "Looked for processes that are not of the container.", &["Namespaces"]),
    ("host-memory", "Looked for shared memory, semaphores and queues of others.", &["Namespaces"]),
    ("own-namespaces", "Held its namespaces against the host's.", &["Namespaces"]),
    ("host-name", "Read the host's name.", &["Namespaces"]),
];
