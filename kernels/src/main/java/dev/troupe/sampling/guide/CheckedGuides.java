package dev.troupe.sampling.guide;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * Guides of which this process knows that they compile. A request's guide is checked where the request comes in and where its
 * generation begins, and compiled once more by the rank that follows it; the checks of one guide cost one compilation. Remembers
 * the guides that were asked for last by their digests: neither sources nor automata, which may be large. Thread-safe.
 */
public final class CheckedGuides {
    /** More than requests that usually wait between their first check and their last. */
    static final int MOST = 4096;

    private static final Set<Name> CHECKED = Collections.newSetFromMap(new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Name, Boolean> eldest) {
            return size() > MOST;
        }
    });

    /**
     * What a guide is remembered by.
     *
     * @param digest SHA-256 (FIPS 180-4) of the source in UTF-16
     */
    private record Name(GuideSpec.Kind kind, ByteBuffer digest) {
        static Name of(GuideSpec guide) {
            ByteBuffer source = ByteBuffer.allocate(guide.source().length() * Character.BYTES);
            source.asCharBuffer().put(guide.source());
            try {
                return new Name(
                        guide.kind(),
                        ByteBuffer.wrap(MessageDigest.getInstance("SHA-256").digest(source.array())));
            } catch (NoSuchAlgorithmException e) {
                throw new IllegalStateException("every Java platform has SHA-256", e);
            }
        }
    }

    private CheckedGuides() {}

    /** Whether a guide is known to compile; compiles nothing. */
    public static boolean knows(GuideSpec guide) {
        return knows(Name.of(guide));
    }

    private static boolean knows(Name name) {
        synchronized (CHECKED) {
            // To add it again makes it the last that was asked for.
            return CHECKED.contains(name) && !CHECKED.add(name);
        }
    }

    /**
     * Checks that a guide compiles.
     *
     * @return whether it had to be compiled for it
     * @throws dev.troupe.sampling.guide.automaton.GuideException as {@link GuideSpec#compile}
     */
    public static boolean require(GuideSpec guide) {
        Name name = Name.of(guide);
        if (knows(name)) {
            return false;
        }
        guide.compile();
        synchronized (CHECKED) {
            CHECKED.add(name);
        }
        return true;
    }
}
