package dev.troupe.http;

import dev.troupe.sampling.guide.CheckedGuides;
import dev.troupe.sampling.guide.GuideSpec;
import dev.troupe.sampling.guide.automaton.GuideException;
import dev.troupe.text.tools.Tool;
import dev.troupe.text.tools.ToolCallReader;
import dev.troupe.text.tools.ToolFormat;
import dev.troupe.text.tools.ToolGuide;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What a request says of tools.
 *
 * @param shown those that the model hears of; empty where it is to call none
 * @param forced those of which the answer must be calls; empty where the model decides
 * @param parallel whether an answer may have more calls than one
 */
record ToolUse(List<Tool> shown, List<Tool> forced, boolean parallel) {
    ToolUse {
        shown = List.copyOf(shown);
        forced = List.copyOf(forced);
    }

    /** Whether the answer must be calls. */
    boolean isForced() {
        return !forced.isEmpty();
    }

    /** Finds the calls of an answer. */
    ToolCallReader reader(ToolFormat format) {
        return new ToolCallReader(
                format,
                shown.stream().map(Tool::name).collect(Collectors.toSet()),
                parallel,
                isForced() && !format.opening().isEmpty());
    }

    /**
     * The guide of the answer.
     *
     * @param other what the request says about the form of its completion
     * @throws ApiError if there is one beside tools, or a schema cannot be kept
     */
    @Nullable
    GuideSpec guide(@Nullable GuideSpec other, ServedModel model) {
        if (other != null && !shown.isEmpty()) {
            throw ApiError.invalid(
                    "tools",
                    "tools exclude response_format and guided_*, unless tool_choice=none: an answer has one form");
        }
        if (!isForced()) {
            return other;
        }
        GuideSpec guide = ToolGuide.of(model.toolFormat(), forced, parallel);
        try {
            CheckedGuides.require(guide);
            return guide;
        } catch (GuideException e) {
            throw refused(e);
        }
    }

    /** Names the tool whose schema is the reason. */
    private ApiError refused(GuideException all) {
        for (Tool tool : forced) {
            try {
                CheckedGuides.require(new GuideSpec(
                        GuideSpec.Kind.JSON_SCHEMA, tool.parameters().toString()));
            } catch (GuideException e) {
                String field = "tools[%d].function.parameters".formatted(shown.indexOf(tool));
                return ApiError.invalid(
                        field,
                        "%s: %s; with tool_choice=auto it is shown to the model and not kept"
                                .formatted(field, e.getMessage()));
            }
        }
        return ApiError.invalid("tools", "tools: " + all.getMessage());
    }
}
