package dev.troupe.kvcache;

/**
 * How much of what sequences needed was there already.
 *
 * @param queriedTokens tokens of full KV blocks that were looked for when sequences began
 * @param hitTokens how many of them were found, and so not computed
 * @param cachedBlocks KV blocks whose content can be found now
 * @param evictions KV blocks that were given to others while their content could be found
 */
public record PrefixCounts(long queriedTokens, long hitTokens, int cachedBlocks, long evictions) {
    /** Nothing was looked for. */
    public static final PrefixCounts NONE = new PrefixCounts(0, 0, 0, 0);

    /** These counts and those of an epoch that is over: its blocks are gone. */
    public PrefixCounts plusEnded(PrefixCounts ended) {
        return new PrefixCounts(
                queriedTokens + ended.queriedTokens,
                hitTokens + ended.hitTokens,
                cachedBlocks,
                evictions + ended.evictions);
    }
}
