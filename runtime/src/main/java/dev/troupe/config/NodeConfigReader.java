package dev.troupe.config;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigResolveOptions;
import dev.troupe.cluster.identity.NodeRole;
import dev.troupe.kernel.DeviceChoice;
import dev.troupe.kernel.KernelProvider;
import dev.troupe.kernel.Numerics;
import dev.troupe.kvstore.KvType;
import dev.troupe.serving.SchedulerSettings;
import dev.troupe.serving.StepLimits;
import dev.troupe.wire.tls.TlsFiles;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/** Turns a configuration into records, once. */
final class NodeConfigReader {
    private static final String ENVIRONMENT = "dev/troupe/config/environment.conf";

    /** Artery drops messages on purpose only in its test mode. */
    private static final Config TEST_MODE =
            ConfigFactory.parseMap(Map.of("pekko.remote.artery.advanced.test-mode", true), "troupe.chaos.enabled");

    /** A key may fill so much of what all have, where there are several. */
    private static final int SHARES_OF_KEYS = 4;

    private final Config user;
    private final Config reference = ConfigFactory.defaultReference();
    private final Config whole;

    NodeConfigReader(Config user, Map<String, String> environment) {
        Config overlay = ConfigFactory.parseResources(NodeConfigReader.class.getClassLoader(), ENVIRONMENT)
                .resolveWith(
                        ConfigFactory.parseMap(environment, "environment variables"),
                        ConfigResolveOptions.defaults().setUseSystemEnvironment(false));
        this.user = overlay.withFallback(user.resolve());
        this.whole = this.user.withFallback(reference);
    }

    NodeConfig read() {
        try {
            new KnownKeys(reference).require(user);
            return sections();
        } catch (ConfigurationException e) {
            String key = e.key();
            throw key == null || !whole.hasPath(key)
                    ? e
                    : e.at(whole.getValue(key).origin().description());
        }
    }

    private NodeConfig sections() {
        Numerics numerics = Section.of(whole).constant("numerics", Numerics.class);
        Map<String, String> models = Section.of(whole, "models").entries();
        ReplicaConfig replica = replica(models, Section.of(whole, "replica"));
        NodeAddress node = node(Section.of(whole, "node"));
        ClusterConfig cluster = cluster(Section.of(whole, "cluster"));
        WireConfig wire = wire(node, Section.of(whole, "wire"));
        Section faults = Section.of(whole, "chaos");
        ChaosConfig chaos = new ChaosConfig(faults.flag("enabled"), faults.duration("unit-delay"));
        return new NodeConfig(
                node,
                cluster,
                models,
                replica,
                numerics,
                device(Section.of(whole, "device")),
                kv(Section.of(whole, "kv")),
                scheduler(replica.pipelineParallel(), Section.of(whole, "scheduler")),
                new GenerationConfig(Section.of(whole, "generation").duration("resume-within")),
                wire,
                chaos,
                http(Section.of(whole, "http")),
                (chaos.enabled() ? TEST_MODE : ConfigFactory.empty())
                        .withFallback(PekkoSettings.of(node, cluster, wire, user, reference)));
    }

    private static NodeAddress node(Section section) {
        String host = section.text("host");
        int port = section.integer("port");
        return new NodeAddress(
                host,
                port,
                section.isAuto("bind-host") ? host : section.text("bind-host"),
                section.integerOrAuto("bind-port").orElse(port),
                section.text("name"),
                roles(section),
                section.flag("exit-jvm"));
    }

    private static List<NodeRole> roles(Section section) {
        try {
            return section.texts("roles").stream().map(NodeRole::of).toList();
        } catch (IllegalArgumentException e) {
            throw new ConfigurationException("troupe.node.roles", "troupe.node.roles: " + e.getMessage(), e);
        }
    }

    private static ClusterConfig cluster(Section section) {
        List<SeedNode> seeds =
                section.texts("seed-nodes").stream().map(SeedNode::parse).toList();
        int nodes = section.integerOrAuto("nodes").orElse(Math.max(1, seeds.size()));
        ClusterConfig.Timing timing = section.constant("timing", ClusterConfig.Timing.class);
        return new ClusterConfig(
                seeds,
                nodes,
                timing,
                ClusterConfig.quorum(
                        section.constant("strategy", ClusterConfig.Strategy.class),
                        section.integerOrAuto("voters"),
                        nodes),
                section.isAuto("stable-after")
                        ? ClusterConfig.stableAfter(timing, nodes)
                        : section.duration("stable-after"));
    }

    private static ReplicaConfig replica(Map<String, String> models, Section section) {
        String model = section.text("model");
        Check.holds(!models.isEmpty(), "models", "{}", "at least one model, for example models { tales = tales }");
        if (model.isEmpty()) {
            Check.holds(
                    models.size() == 1,
                    "replica.model",
                    "\"\"",
                    "one of " + models.keySet().stream().sorted().toList());
            model = models.keySet().iterator().next();
        }
        return new ReplicaConfig(model, section.integer("pipeline-parallel"), section.integer("tensor-parallel"));
    }

    private static DeviceConfig device(Section section) {
        int spare = Runtime.getRuntime().availableProcessors() - 1;
        return new DeviceConfig(
                kinds(section),
                section.integerOrAuto("threads").orElse(Math.max(1, spare)),
                section.integers("cores"),
                section.constant("kernels", KernelProvider.Choice.class),
                section.integerOrAuto("vector-bits"),
                section.flag("graphs"),
                section.isAuto("memory") ? OptionalLong.empty() : OptionalLong.of(section.bytes("memory")),
                section.bytes("weight-cache"));
    }

    private static List<DeviceChoice> kinds(Section section) {
        try {
            return section.textOrTexts("kind").stream().map(DeviceChoice::of).toList();
        } catch (IllegalArgumentException e) {
            throw new ConfigurationException("troupe.device.kind", "troupe.device.kind: " + e.getMessage(), e);
        }
    }

    private static KvConfig kv(Section section) {
        return new KvConfig(
                section.constant("type", KvType.class),
                section.integer("block-size"),
                section.integerOrAuto("blocks"),
                section.bytes("memory"));
    }

    private static SchedulerConfig scheduler(int stages, Section section) {
        Section waits = section.section("waits");
        Section slow = section.section("slow");
        StepLimits limits;
        try {
            limits = new StepLimits(
                    section.integer("tokens-per-step"),
                    section.integer("prefill-chunk"),
                    section.integer("sequences-per-step"),
                    section.integer("running-sequences"),
                    section.integerOrAuto("steps-in-flight").orElse(stages),
                    section.integer("rows-per-step"));
        } catch (IllegalArgumentException e) {
            throw new ConfigurationException("troupe.scheduler", "troupe.scheduler: " + e.getMessage(), e);
        }
        return new SchedulerConfig(
                limits,
                section.integer("max-generations"),
                section.bytes("max-returned"),
                new SchedulerSettings.Waits(
                        waits.duration("placement"),
                        waits.duration("retry"),
                        waits.duration("forming"),
                        waits.duration("first-step"),
                        waits.duration("least-step"),
                        waits.duration("capacity"),
                        waits.duration("grow"),
                        waits.duration("canary")),
                new SchedulerSettings.Slow(slow.number("factor"), slow.duration("after"), slow.duration("avoid")),
                section.flag("prefix-cache"),
                waits.duration("cluster"));
    }

    private static HttpConfig http(Section section) {
        return new HttpConfig(
                section.flag("enabled"),
                section.text("host"),
                section.integer("port"),
                section.section("keys").entries(),
                section.section("weights").integerEntries(),
                section.flag("insecure"),
                httpTls(section.section("tls")),
                Set.copyOf(section.texts("host-names")),
                section.text("chat-template"),
                section.intBytes("max-body"),
                section.integer("running"),
                section.integer("waiting"),
                section.integer("waiting-per-key"),
                new HttpConfig.Recordings(
                        section.integer("recordings"),
                        section.integer("recordings-per-key"),
                        section.bytes("recordings-bytes")),
                preparing(section),
                section.duration("deadline"),
                section.duration("grace"),
                section.duration("stalled-after"));
    }

    private static HttpConfig.Preparing preparing(Section http) {
        Section section = http.section("prepare");
        int some = Math.max(2, Runtime.getRuntime().availableProcessors() / 4);
        int shares = http.section("keys").entries().size() > 1 ? SHARES_OF_KEYS : 1;
        int waiting = section.integer("waiting");
        long bytes = section.bytes("waiting-bytes");
        return new HttpConfig.Preparing(
                section.integerOrAuto("threads").orElse(some),
                waiting,
                section.integerOrAuto("waiting-per-key").orElse(Math.ceilDiv(waiting, shares)),
                bytes,
                section.isAuto("waiting-bytes-per-key")
                        ? Math.max(bytes / shares, http.intBytes("max-body"))
                        : section.bytes("waiting-bytes-per-key"));
    }

    private static Optional<HttpConfig.Tls> httpTls(Section section) {
        String certificate = section.text("certificate");
        String key = section.text("key");
        String clientCa = section.text("client-ca");
        if (certificate.isBlank() && key.isBlank() && clientCa.isBlank()) {
            return Optional.empty();
        }
        Check.holds(
                !certificate.isBlank(), "http.tls.certificate", "\"\"", "a PEM file beside the key (--tls-cert FILE)");
        Check.holds(!key.isBlank(), "http.tls.key", "\"\"", "a PEM file beside the certificate (--tls-key FILE)");
        return Optional.of(new HttpConfig.Tls(
                Path.of(certificate),
                Path.of(key),
                clientCa.isBlank() ? Optional.empty() : Optional.of(Path.of(clientCa))));
    }

    private static WireConfig wire(NodeAddress node, Section section) {
        Section tls = section.section("tls");
        return new WireConfig(
                section.constant("tensors", WireConfig.Road.class),
                section.integer("lane-port"),
                section.integerOrAuto("bind-lane-port").orElse(section.integer("lane-port")),
                section.intBytes("frame-bytes"),
                section.bytes("queue-bytes"),
                section.bytes("early-bytes"),
                section.duration("handshake"),
                tls.flag("enabled") ? Optional.of(tls(node, tls)) : Optional.empty());
    }

    /** What is {@code auto} is called as {@code troupe certs} calls it. */
    private static WireConfig.Tls tls(NodeAddress node, Section section) {
        String directory = section.text("directory");
        TlsFiles usual = TlsFiles.ofNode(Path.of(directory), node.host());
        return new WireConfig.Tls(
                file(section, directory, "ca", usual.ca()),
                file(section, directory, "certificate", usual.certificate()),
                file(section, directory, "key", usual.key()));
    }

    private static Path file(Section section, String directory, String key, Path usual) {
        boolean auto = section.isAuto(key);
        String text = section.text(key);
        Check.holds(
                auto ? !directory.isBlank() : !text.isBlank(),
                "wire.tls." + key,
                text.isBlank() ? "\"\"" : text,
                "a PEM file, or troupe.wire.tls.directory = the folder that troupe certs has filled; on loopback"
                        + " troupe.wire.tls.enabled = off does too");
        return auto ? usual : Path.of(text);
    }
}
