package dev.troupe.wire.artery;

import com.typesafe.config.Config;
import dev.troupe.wire.tls.CertificateRole;
import dev.troupe.wire.tls.PeerCertificate;
import dev.troupe.wire.tls.TlsFiles;
import dev.troupe.wire.tls.TlsIdentity;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.security.cert.CertificateException;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLSession;
import org.apache.pekko.actor.ActorSystem;
import org.apache.pekko.remote.artery.tcp.SSLEngineProvider;
import scala.Option;

/**
 * Artery's TLS, with the same identity and the same files as the tensor lane: both sides show certificates of one
 * authority that name a role of Troupe, and a peer that is dialed must have the host name it is dialed by.
 *
 * <p>Named in {@code pekko.remote.artery.ssl.ssl-engine-provider}; reads
 * {@code troupe.wire.tls { ca, certificate, key }} of the actor system's configuration.
 */
public final class ArteryTls implements SSLEngineProvider {
    private static final String SECTION = "troupe.wire.tls";
    private static final Set<CertificateRole> ANY = EnumSet.allOf(CertificateRole.class);

    private final TlsIdentity identity;
    private final PeerRoles roles;

    /** Made by Pekko. */
    public ArteryTls(ActorSystem system) {
        Config tls = system.settings().config().getConfig(SECTION);
        try {
            identity = TlsIdentity.load(new TlsFiles(
                    Path.of(tls.getString("ca")),
                    Path.of(tls.getString("certificate")),
                    Path.of(tls.getString("key"))));
        } catch (IOException e) {
            throw new UncheckedIOException("%s: %s".formatted(SECTION, e.getMessage()), e);
        }
        roles = PeerRoles.of(system);
    }

    /** The keys of an actor system whose Artery is to be under TLS with {@code files}. */
    public static Map<String, Object> settings(TlsFiles files) {
        Map<String, Object> keys = new LinkedHashMap<>();
        keys.put("pekko.remote.artery.transport", "tls-tcp");
        keys.put("pekko.remote.artery.ssl.ssl-engine-provider", ArteryTls.class.getName());
        keys.put(SECTION + ".ca", files.ca().toString());
        keys.put(SECTION + ".certificate", files.certificate().toString());
        keys.put(SECTION + ".key", files.key().toString());
        return keys;
    }

    @Override
    public SSLEngine createServerSSLEngine(String hostname, int port) {
        return identity.server();
    }

    @Override
    public SSLEngine createClientSSLEngine(String hostname, int port) {
        return identity.client(hostname, port);
    }

    /** The other side was dialed. */
    @Override
    public Option<Throwable> verifyClientSession(String hostname, SSLSession session) {
        try {
            PeerCertificate peer = requireRole(session);
            roles.proven(hostname, session.getPeerPort(), peer.roles());
            return Option.empty();
        } catch (CertificateException e) {
            return Option.apply(e);
        }
    }

    /** The other side has dialed. */
    @Override
    public Option<Throwable> verifyServerSession(String hostname, SSLSession session) {
        try {
            requireRole(session);
            return Option.empty();
        } catch (CertificateException e) {
            return Option.apply(e);
        }
    }

    private static PeerCertificate requireRole(SSLSession session) throws CertificateException {
        PeerCertificate peer = PeerCertificate.of(session);
        String objection = peer.objectionToRoles(ANY);
        if (objection != null) {
            throw new CertificateException(objection + ": make one with troupe certs --add");
        }
        return peer;
    }
}
