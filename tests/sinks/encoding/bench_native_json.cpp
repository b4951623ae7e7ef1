// ns for an event: a row of ten columns and about 150 bytes; a long text; a text that isn't ASCII.
#include <benchmark/benchmark.h>

#include "sinks/encoding/json_text.hpp"
#include "sinks/encoding/native_json.hpp"
#include "tests/sinks/encoding/samples.hpp"

namespace pgcourier::sinks::encoding {
namespace {

using tests::text;

void insert_of_ten_columns(benchmark::State& state) {
  cdc::Relation relation;
  relation.schema = "public";
  relation.table = "orders";
  relation.columns = {tests::column("id", tests::int8_oid, true),
                      tests::column("customer_id", tests::int8_oid),
                      tests::column("status", tests::text_oid),
                      tests::column("total", tests::numeric_oid),
                      tests::column("paid", tests::bool_oid),
                      tests::column("weight", tests::float8_oid),
                      tests::column("created_at", tests::timestamptz_oid),
                      tests::column("updated_at", tests::timestamp_oid),
                      tests::column("note", tests::text_oid),
                      tests::column("data", tests::json_oid)};
  relation.key = {0};
  const tests::Values row{text("1234567"),
                          text("42"),
                          text("shipped"),
                          text("1234.50"),
                          text("t"),
                          text("12.25"),
                          text("2026-11-22 10:00:00.123456+00"),
                          text("2026-11-22 10:00:00.5"),
                          text("please leave it with the neighbours"),
                          text("{\"a\": [1, 2, 3]}")};
  cdc::ChangeEvent event;
  event.relation = &relation;
  event.lsn = protocol::Lsn{0x16B3748};
  event.after = row;
  NativeJson encoder;
  encoder.begin({protocol::Lsn{0x16B3800}, {}, 747, {}});
  for (auto _ : state) {
    encoder.encode(event);
    benchmark::DoNotOptimize(encoder.finish({}).record.value.data());
  }
  encoder.encode(event);
  state.counters["bytes"] = static_cast<double>(encoder.finish({}).record.value.size());
}
BENCHMARK(insert_of_ten_columns);

void string_of(benchmark::State& state, std::string_view piece) {
  std::string value;
  while (value.size() < 4096) value += piece;
  TextBuffer out;
  for (auto _ : state) {
    out.clear();
    append_json_string(out, value);
    benchmark::DoNotOptimize(out.view().data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(value.size()) * state.iterations());
}
BENCHMARK_CAPTURE(string_of, ascii, "plain text of nothing but letters and blanks ");
BENCHMARK_CAPTURE(string_of, umlauts, "Größe über Straßen hinweg ");
BENCHMARK_CAPTURE(string_of, japanese, "日本語の文字列");
BENCHMARK_CAPTURE(string_of, quotes, "{\"key\": \"value\", ");

}  // namespace
}  // namespace pgcourier::sinks::encoding
