package dev.troupe.text.template;

import java.util.Optional;

/**
 * The texts of special tokens that a chat template may write; one that is empty is not defined for it.
 *
 * @param bos what begins a sequence
 * @param eos what ends one
 */
public record SpecialTexts(Optional<String> bos, Optional<String> eos) {
    public static final SpecialTexts NONE = new SpecialTexts(Optional.empty(), Optional.empty());
}
