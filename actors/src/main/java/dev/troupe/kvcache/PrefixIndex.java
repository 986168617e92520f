package dev.troupe.kvcache;

import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/** Which KV block holds what, both ways: a name has at most one block, and a block at most one name. Owned by one thread. */
final class PrefixIndex {
    private final Map<PrefixHash, Integer> blocks = new HashMap<>();
    private final @Nullable PrefixHash[] names;

    /** @param total blocks there are */
    PrefixIndex(int total) {
        names = new PrefixHash[total];
    }

    /** The block that holds it. */
    OptionalInt find(PrefixHash name) {
        Integer block = blocks.get(name);
        return block == null ? OptionalInt.empty() : OptionalInt.of(block);
    }

    boolean contains(int block) {
        return names[block] != null;
    }

    /** Blocks with a name. */
    int size() {
        return blocks.size();
    }

    /**
     * Notes what a block holds.
     *
     * @return false if another block holds the same: then nothing is noted
     * @throws IllegalStateException if the block has another name
     */
    boolean put(int block, PrefixHash name) {
        PrefixHash before = names[block];
        if (before != null && !before.equals(name)) {
            throw new IllegalStateException(
                    "KV block %d holds %s and cannot be published as %s: a full block is never written"
                            .formatted(block, before, name));
        }
        if (blocks.putIfAbsent(name, block) == null) {
            names[block] = name;
        }
        return name.equals(names[block]);
    }

    /** The block will hold something else. */
    void remove(int block) {
        PrefixHash name = names[block];
        if (name != null) {
            blocks.remove(name);
            names[block] = null;
        }
    }

    /**
     * Checks that both ways agree.
     *
     * @throws IllegalStateException naming the first block for which they do not
     */
    void checkIntegrity() {
        int named = 0;
        for (int block = 0; block < names.length; block++) {
            PrefixHash name = names[block];
            if (name == null) {
                continue;
            }
            named++;
            if (!Integer.valueOf(block).equals(blocks.get(name))) {
                throw new IllegalStateException(
                        "KV block %d holds %s, and the index finds %s".formatted(block, name, blocks.get(name)));
            }
        }
        if (named != blocks.size()) {
            throw new IllegalStateException(
                    "%d KV blocks have names, the index has %d".formatted(named, blocks.size()));
        }
    }
}
