package dev.troupe.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The official client for JavaScript, as it is, against a server; skipped where it cannot be installed. */
class OpenAiNodeClientTest {
    private static final String PACKAGE = "openai@7.59.0";
    private static final int MINUTES = 3;
    private static final String SCRIPT = """
            import OpenAI from "openai";
            const client = new OpenAI({ baseURL: process.env.BASE, apiKey: process.env.KEY, maxRetries: 0 });
            const story = { model: "tales", prompt: "Once upon a time", max_tokens: 20, temperature: 0 };
            const result = {};
            result.models = (await client.models.list()).data.map(model => model.id);
            result.whole = (await client.completions.create(story)).choices[0].text;
            result.streamed = "";
            for await (const chunk of await client.completions.create({ ...story, stream: true, stream_options: { include_usage: true } })) {
              if (chunk.usage) result.usage = chunk.usage.completion_tokens;
              else result.streamed += chunk.choices[0].text;
            }
            const stream = await client.completions.create({ ...story, max_tokens: 500, stream: true, ignore_eos: true });
            result.cancelled = 0;
            for await (const chunk of stream) {
              if (++result.cancelled === 3) stream.controller.abort();
            }
            try {
              await client.completions.create({ ...story, temperature: 9 });
            } catch (error) {
              result.error = { status: error.status, param: error.param, message: error.message };
            }
            const texts = { model: "tales", input: ["Once upon a time", "Tom"] };
            const embedded = await client.embeddings.create(texts);
            const numbers = await client.embeddings.create({ ...texts, encoding_format: "float" });
            result.embeddings = embedded.data.map(item => item.embedding.length);
            result.sameByBase64 = embedded.data[1].embedding.every((value, i) => value === Math.fround(numbers.data[1].embedding[i]));
            const scored = await client.completions.create({ ...story, max_tokens: 0, echo: true, logprobs: 0 });
            result.scored = scored.choices[0].logprobs.token_logprobs;
            try {
              await client.models.retrieve("acme/other");
            } catch (error) {
              result.other = error.message;
            }
            const feed = { type: "function", function: { name: "feed", description: "Feeds an animal.", strict: true, parameters: {
              type: "object", properties: { animal: { enum: ["cat", "dog"] } }, required: ["animal"], additionalProperties: false } } };
            const chat = { model: "tales", messages: [{ role: "user", content: "The cat is hungry." }], tools: [feed],
              tool_choice: { type: "function", function: { name: "feed" } }, temperature: 0 };
            const called = (await client.chat.completions.create(chat)).choices[0];
            result.called = { reason: called.finish_reason, content: called.message.content, calls: called.message.tool_calls };
            const streamed = (await client.chat.completions.stream(chat).finalChatCompletion()).choices[0];
            result.streamedCall = { reason: streamed.finish_reason, calls: streamed.message.tool_calls };
            const next = { ...chat, tool_choice: "auto", max_completion_tokens: 20, messages: [...chat.messages, called.message,
              { role: "tool", tool_call_id: called.message.tool_calls[0].id, content: "It has eaten." }] };
            result.next = (await client.chat.completions.create(next)).choices[0].message.content;
            const runner = client.chat.completions.runTools({ ...chat, tools: [{ type: "function", function: { ...feed.function,
              function: (given) => { result.fed = given.animal; return "It has eaten."; }, parse: JSON.parse } }] });
            await runner.done();
            result.roles = runner.messages.map(message => message.role);
            console.log(JSON.stringify(result));
            """;

    @Test
    void completesStreamsCancelsAndUnderstandsErrors(@TempDir Path directory) throws Exception {
        Files.writeString(directory.resolve("package.json"), "{\"type\": \"module\"}");
        assumeTrue(
                run(directory, Map.of(), "npm", "install", "--no-audit", "--no-fund", "--silent", PACKAGE) == 0,
                "npm cannot install " + PACKAGE + " here");
        Files.writeString(directory.resolve("client.mjs"), SCRIPT);

        try (Served served = Served.start(Map.of())) {
            Map<String, String> environment = Map.of("BASE", served.uri("/v1").toString(), "KEY", Served.KEY);
            int status = run(directory, environment, "node", "client.mjs");

            String output = Files.readString(directory.resolve("output"));
            assertThat(status).as(output).isZero();
            JsonNode result = Served.JSON.readTree(output);
            assertThat(result.at("/models/0").textValue()).isEqualTo("tales");
            assertThat(result.path("whole").textValue())
                    .hasSizeGreaterThan(20)
                    .isEqualTo(result.path("streamed").textValue());
            assertThat(result.path("usage").intValue()).isEqualTo(20);
            assertThat(result.path("cancelled").intValue()).isBetween(3, 400);
            assertThat(result.at("/error/status").intValue()).isEqualTo(400);
            assertThat(result.at("/error/param").textValue()).isEqualTo("temperature");
            assertThat(result.path("embeddings").toString()).isEqualTo("[128,128]");
            assertThat(result.path("sameByBase64").booleanValue()).isTrue();
            assertThat(result.at("/scored/0").isNull()).isTrue();
            assertThat(result.at("/scored/1").doubleValue()).isNegative();
            assertThat(result.path("other").textValue()).contains("model=acme/other is not served here");
            requireCalls(result);
        }
    }

    private static void requireCalls(JsonNode result) {
        JsonNode called = result.path("called");
        JsonNode function = called.at("/calls/0/function");
        assertThat(called.path("reason").textValue()).isEqualTo("tool_calls");
        assertThat(called.path("content").isNull()).isTrue();
        assertThat(called.path("calls")).hasSize(1);
        assertThat(function.path("name").textValue()).isEqualTo("feed");
        assertThat(function.path("arguments").textValue()).matches("\\{\"animal\": ?\"(cat|dog)\"}");
        assertThat(result.at("/streamedCall/reason").textValue()).isEqualTo("tool_calls");
        assertThat(result.at("/streamedCall/calls/0/function/name")).isEqualTo(function.path("name"));
        assertThat(result.at("/streamedCall/calls/0/function/arguments")).isEqualTo(function.path("arguments"));
        assertThat(result.at("/streamedCall/calls/0/id").textValue()).startsWith("call_");
        assertThat(result.path("next").textValue()).hasSizeGreaterThan(20);
        assertThat(result.path("fed").textValue()).isIn("cat", "dog");
        assertThat(result.path("roles")).extracting(JsonNode::textValue).containsExactly("user", "assistant", "tool");
    }

    /** The exit status; 127 where there is no such program. */
    private static int run(Path directory, Map<String, String> environment, String... command) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(List.of(command))
                .directory(directory.toFile())
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("output").toFile());
        builder.environment().putAll(environment);
        Process process;
        try {
            process = builder.start();
        } catch (IOException e) {
            return 127;
        }
        if (!process.waitFor(MINUTES, TimeUnit.MINUTES)) {
            process.destroyForcibly();
            return 124;
        }
        return process.exitValue();
    }
}
