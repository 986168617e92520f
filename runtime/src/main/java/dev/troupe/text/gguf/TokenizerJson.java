package dev.troupe.text.gguf;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.text.TokenizerFormatException;
import dev.troupe.weights.WeightFormatException;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;

/**
 * A {@code tokenizer.json} in memory: what all kinds of vocabulary have in common, which is tokens, added tokens and the
 * special tokens around a text (the format of Hugging Face's tokenizers library).
 */
final class TokenizerJson {
    /** Characters of all added tokens together; the library builds one automaton of them. */
    private static final int MOST_ADDED_CHARACTERS = 1 << 24;

    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    private final GgufVocabulary vocabulary;
    private final ObjectNode file = NODES.objectNode();

    TokenizerJson(GgufVocabulary vocabulary) {
        this.vocabulary = vocabulary;
    }

    /** An object with a {@code type}. */
    static ObjectNode typed(String type) {
        return NODES.objectNode().put("type", type);
    }

    /** An object of type {@code Sequence} with its parts under {@code key}. */
    static ObjectNode sequence(String key, List<? extends JsonNode> parts) {
        ObjectNode sequence = typed("Sequence");
        sequence.putArray(key).addAll(parts);
        return sequence;
    }

    /** A pair of {@code merges}. */
    static ArrayNode merge(String left, String right) {
        return NODES.arrayNode(2).add(left).add(right);
    }

    TokenizerJson put(String key, JsonNode part) {
        file.set(key, part);
        return this;
    }

    /**
     * Puts the BPE model; the library is given every token in its vocabulary, added ones too, so that each keeps its id.
     *
     * @param merges pairs in the order in which they are joined, see {@link #merge}
     * @param settings what else the model has
     */
    TokenizerJson putModel(ArrayNode merges, ObjectNode settings) {
        ObjectNode model = typed("BPE");
        model.setAll(settings);
        ObjectNode vocab = model.putObject("vocab");
        for (int id = 0; id < vocabulary.size(); id++) {
            if (!vocabulary.token(id).isEmpty()) {
                vocab.put(vocabulary.token(id), id);
            }
        }
        model.set("merges", merges);
        return put("model", model);
    }

    /**
     * Puts the added tokens. A user-defined one that begins or ends a text or a turn stands for no text either.
     *
     * @throws TokenizerFormatException if there are too many, or a key names a token that is none
     */
    TokenizerJson putAddedTokens() throws TokenizerFormatException, WeightFormatException {
        Set<Integer> ends = new TreeSet<>();
        for (String name : List.of("bos", "eos", "eot", "eom")) {
            vocabulary.named(name).ifPresent(ends::add);
        }
        ArrayNode added = file.putArray("added_tokens");
        long characters = 0;
        for (int id = 0; id < vocabulary.size(); id++) {
            TokenType type = vocabulary.type(id);
            String token = vocabulary.token(id);
            if (!type.isAdded() || token.isEmpty()) {
                continue;
            }
            characters += token.length();
            if (characters > MOST_ADDED_CHARACTERS) {
                throw vocabulary.refused("its control and user-defined tokens have more than %d characters"
                        .formatted(MOST_ADDED_CHARACTERS));
            }
            added.addObject()
                    .put("id", id)
                    .put("content", token)
                    .put("single_word", false)
                    .put("lstrip", false)
                    .put("rstrip", false)
                    .put("normalized", false)
                    .put("special", type.isSpecial() || ends.contains(id));
        }
        return this;
    }

    /**
     * Puts what is added around a text.
     *
     * @param beginsByDefault whether a text begins with a beginning-of-sequence if the file does not say
     * @throws TokenizerFormatException if one is to be added that the file does not name
     */
    TokenizerJson putSpecialTokens(boolean beginsByDefault) throws TokenizerFormatException, WeightFormatException {
        boolean begins = vocabulary.flag("add_bos_token", beginsByDefault);
        boolean ends = vocabulary.flag("add_eos_token", false);
        if (begins || ends) {
            ObjectNode template = typed("TemplateProcessing");
            ObjectNode used = NODES.objectNode();
            ArrayNode first = NODES.arrayNode();
            ArrayNode second = NODES.arrayNode();
            if (begins) {
                addSpecial("bos", first, second, used);
            }
            addText("A", 0, first);
            addText("B", 1, second);
            if (ends) {
                addSpecial("eos", first, second, used);
            }
            template.set("single", first);
            template.set("pair", NODES.arrayNode().addAll(first).addAll(second));
            template.set("special_tokens", used);
            put("post_processor", template);
        }
        return this;
    }

    private void addSpecial(String name, ArrayNode first, ArrayNode second, ObjectNode used)
            throws TokenizerFormatException, WeightFormatException {
        OptionalInt id = vocabulary.named(name);
        if (id.isEmpty()) {
            throw vocabulary.refused(
                    "a text is to get its %s token (tokenizer.ggml.add_%s_token, or what is usual for this kind), but metadata key tokenizer.ggml.%s_token_id is absent"
                            .formatted(name, name, name));
        }
        String token = vocabulary.token(id.getAsInt());
        first.addObject().putObject("SpecialToken").put("id", token).put("type_id", 0);
        second.addObject().putObject("SpecialToken").put("id", token).put("type_id", 1);
        ObjectNode special = used.putObject(token).put("id", token);
        special.putArray("ids").add(id.getAsInt());
        special.putArray("tokens").add(token);
    }

    private static void addText(String which, int typeId, ArrayNode to) {
        to.addObject().putObject("Sequence").put("id", which).put("type_id", typeId);
    }

    /** The whole file. */
    JsonNode file() {
        return file;
    }
}
