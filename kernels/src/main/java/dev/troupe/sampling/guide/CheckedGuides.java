package dev.troupe.sampling.guide;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Guides of which this process knows that they compile. A request's guide is checked where the request comes in and where its
 * generation begins, and compiled once more by the rank that follows it; the checks of one guide cost one compilation. Remembers
 * the guides that were asked for last, and of these no automaton, which may be large. Thread-safe.
 */
public final class CheckedGuides {
    private static final int MOST = 256;

    /** Characters of a source that is remembered, so that all together are a few megabytes. */
    private static final int LONGEST = 16 * 1024;

    private static final Map<GuideSpec, Boolean> CHECKED = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<GuideSpec, Boolean> eldest) {
            return size() > MOST;
        }
    };

    private CheckedGuides() {}

    /**
     * Checks that a guide compiles.
     *
     * @return whether it had to be compiled for it
     * @throws dev.troupe.sampling.guide.automaton.GuideException as {@link GuideSpec#compile}
     */
    public static boolean require(GuideSpec guide) {
        synchronized (CHECKED) {
            if (CHECKED.get(guide) != null) {
                return false;
            }
        }
        guide.compile();
        if (guide.source().length() <= LONGEST) {
            synchronized (CHECKED) {
                CHECKED.put(guide, true);
            }
        }
        return true;
    }
}
