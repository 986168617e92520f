package dev.troupe.cli;

import dev.troupe.wire.tls.Authority;
import dev.troupe.wire.tls.CertificateRole;
import dev.troupe.wire.tls.Holder;
import dev.troupe.wire.tls.TlsFiles;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code troupe certs}: a certificate authority for one cluster, and certificates of its nodes and clients. */
@Command(
        name = "certs",
        description = {
            "Makes certificates, so that the nodes of a cluster know each other (mutual TLS 1.3).",
            "The first time it makes a certificate authority too: ca.pem, which every node needs, and ca-key.pem, which none"
                    + " needs and nobody else may have."
        },
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footerHeading = "%nExamples:%n",
        footer = {
            "  troupe certs --out certs --nodes 10.0.0.1 10.0.0.2 10.0.0.3",
            "  troupe certs --out certs --nodes head.example:control,frontend gpu-1.example:compute laptop.example:client",
            "  troupe certs --out certs --add --nodes 10.0.0.4          one more node",
            "  troupe certs --out certs --add --force --nodes 10.0.0.1  a new certificate before the old one expires"
        })
final class CertsCommand implements Callable<Integer> {
    private static final DateTimeFormatter DAY = DateTimeFormatter.ISO_LOCAL_DATE.withZone(ZoneOffset.UTC);
    private static final int MOST_DAYS = 3650;

    /** Those that a node has by default. */
    private static final Set<CertificateRole> DEFAULT_ROLES =
            Set.of(CertificateRole.CONTROL, CertificateRole.FRONTEND, CertificateRole.COMPUTE);

    @Option(names = "--out", required = true, paramLabel = "DIR", description = "where the files are written")
    @SuppressWarnings("NullAway.Init") // set by picocli
    private Path out;

    @Option(
            names = "--nodes",
            required = true,
            arity = "1..*",
            paramLabel = "HOST[:ROLE,...]",
            description = {
                "DNS name or IP address under which others reach it (troupe.node.host), and what it may be: control,"
                        + " frontend, compute, cache, or client for a program that only asks (default:"
                        + " control,frontend,compute)"
            })
    @SuppressWarnings("NullAway.Init") // set by picocli
    private List<String> nodes;

    @Option(
            names = "--days",
            paramLabel = "N",
            defaultValue = "365",
            description =
                    "how long certificates of nodes and clients are valid (default: 365); the authority's is for ten years")
    private int days;

    @Option(names = "--add", description = "use the authority that is in DIR, to add nodes to a cluster")
    private boolean add;

    @Option(
            names = "--force",
            description =
                    "write over files that are there: with --add those of the named nodes, without it a new authority"
                            + " too, whose nodes do not know those of the old one")
    private boolean force;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        if (days < 1 || days > MOST_DAYS) {
            throw new CommandFailure("--days %d does not work; expected 1 to %d".formatted(days, MOST_DAYS));
        }
        List<Holder> holders = nodes.stream().map(CertsCommand::holder).toList();
        requireDistinct(holders);
        Clock clock = Clock.systemUTC();
        Authority authority = authority(holders, clock);
        PrintWriter terminal = spec.commandLine().getOut();
        terminal.printf(
                "authority %s, valid to %s%n", out.resolve(Authority.CERTIFICATE), day(authority.certificate()));
        for (Holder holder : holders) {
            X509Certificate made = authority.issue(holder, Duration.ofDays(days));
            terminal.printf(
                    "%s (%s) %s, valid to %s%n",
                    holder.host(),
                    CertificateRole.labels(holder.roles()),
                    holder.filesIn(out).certificate(),
                    day(made));
        }
        nextStep(terminal, holders.getFirst());
        terminal.flush();
        return 0;
    }

    /** Reads {@code HOST[:ROLE,...]}; a literal IPv6 address stands in brackets. */
    static Holder holder(String text) {
        int hostEnd = text.startsWith("[") ? text.indexOf(']') + 1 : Math.max(text.indexOf(':'), 0);
        if (!text.startsWith("[") && hostEnd != text.lastIndexOf(':') && text.indexOf(':') >= 0) {
            throw new CommandFailure(
                    "--nodes %s: write an IPv6 address in brackets, for example [fd00::1]:compute".formatted(text));
        }
        hostEnd = hostEnd == 0 ? text.length() : hostEnd;
        String host = text.substring(0, hostEnd);
        String roles = text.substring(hostEnd);
        if (host.startsWith("[")) {
            host = host.substring(1, host.length() - 1);
        }
        try {
            return new Holder(host, roles.isEmpty() ? DEFAULT_ROLES : roles(roles));
        } catch (IllegalArgumentException e) {
            throw new CommandFailure("--nodes %s: %s".formatted(text, e.getMessage()));
        }
    }

    private static Set<CertificateRole> roles(String text) {
        if (!text.startsWith(":")) {
            throw new IllegalArgumentException("'%s', expected HOST[:ROLE,...]".formatted(text));
        }
        Set<CertificateRole> roles = new HashSet<>();
        for (String label : text.substring(1).split(",", -1)) {
            roles.add(CertificateRole.of(label));
        }
        return roles;
    }

    private static void requireDistinct(List<Holder> holders) {
        Set<String> names = new HashSet<>();
        for (Holder holder : holders) {
            if (!names.add(holder.fileName())) {
                throw new CommandFailure(
                        "--nodes: %s comes twice; give it all its roles at once, for example %s:control,compute"
                                .formatted(holder.host(), holder.host()));
            }
        }
    }

    /** Looks at all files before it writes one. */
    private Authority authority(List<Holder> holders, Clock clock) throws IOException {
        boolean there = Authority.isIn(out);
        if (add && !there) {
            throw new CommandFailure("--add: there is no authority in %s; leave --add out to make one".formatted(out));
        }
        if (there && !add && !force) {
            throw new CommandFailure(
                    "%s is there: --add makes certificates with this authority for further nodes; --force makes a new one, and certificates of the old one are worth nothing then"
                            .formatted(out.resolve(Authority.CERTIFICATE)));
        }
        if (!force) {
            requireNew(holders);
        }
        return add ? Authority.read(out, clock) : Authority.create(out, clock);
    }

    private void requireNew(List<Holder> holders) {
        for (Holder holder : holders) {
            TlsFiles files = holder.filesIn(out);
            Stream.of(files.certificate(), files.key())
                    .filter(Files::exists)
                    .findFirst()
                    .ifPresent(file -> {
                        throw new CommandFailure("%s is there: --force writes over it, with a new key".formatted(file));
                    });
        }
    }

    private static String day(X509Certificate certificate) {
        return DAY.format(certificate.getNotAfter().toInstant());
    }

    private void nextStep(PrintWriter terminal, Holder first) {
        terminal.printf(
                "%nNext: copy ca.pem and HOST.pem and HOST-key.pem to each host, by a way that nobody reads (scp), and say in its"
                        + " configuration%n%n  troupe.wire.tls { enabled = on, directory = \"%s\" }%n%n"
                        + "Keep %s on none of them: whoever has it can make nodes.%n",
                out, out.resolve(Authority.KEY));
        if (first.roles().contains(CertificateRole.CLIENT)) {
            return;
        }
        terminal.printf(
                "A program that asks the cluster from another host needs one too: troupe certs --out %s --add --nodes ITS-HOST:client%n",
                out);
    }
}
