// A program of its own, because it counts every operator new.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <new>

#include "sinks/encoding/native_json.hpp"
#include "tests/sinks/encoding/samples.hpp"

namespace {

std::size_t allocations = 0;

}  // namespace

// Not inlined, else the compiler sees free() meet operator new.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* block = std::malloc(size)) return block;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* block) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept { std::free(block); }

namespace pgcourier::sinks::encoding {
namespace {

using cdc::Operation;
using tests::text;

TEST(NativeJson, AllocatesNothingInTheSteadyState) {
  const cdc::ColumnType pair{
      cdc::TypeForm::composite,
      nullptr,
      ',',
      {{"a", cdc::built_in_type(tests::int8_oid)}, {"b", cdc::built_in_type(tests::text_oid)}}};
  const cdc::ColumnType pairs{cdc::TypeForm::array, &pair, ',', {}};
  const cdc::ColumnType hstore{cdc::TypeForm::hstore, nullptr, ',', {}};
  cdc::Relation relation;
  relation.schema = "public";
  relation.table = "a_table_with_a_long_name";
  relation.columns = {tests::column("id", tests::int8_oid, true),
                      tests::column("note", tests::text_oid),
                      tests::column("data", tests::bytea_oid),
                      tests::column("created_at", tests::timestamptz_oid),
                      {"pairs", 16384, -1, &pairs, false},
                      {"tags", 16385, -1, &hstore, false}};
  relation.key = {0};
  const tests::Values row{text("7"),
                          text("a note with \"quotes\" that is longer than a short string"),
                          text("\\x00010203"),
                          text("2026-11-22 10:00:00.5+00"),
                          text(R"x({"(1,\"a long text with a \\\\ in it, longer than short\")"})x"),
                          text(R"("a \"key\" longer than a short string"=>"value", "n"=>NULL)")};

  NativeJson encoder;
  encoder.begin({protocol::Lsn{1}, {}, 747, {}});
  const auto all_operations = [&] {
    for (const Operation operation :
         {Operation::insert, Operation::update, Operation::delete_, Operation::truncate}) {
      cdc::ChangeEvent event;
      event.operation = operation;
      event.relation = &relation;
      event.before = event.after = row;
      event.key_changed = operation == Operation::update;
      encoder.encode(event);
      encoder.finish(protocol::Lsn{2});
    }
    cdc::ChangeEvent message;
    message.operation = Operation::message;
    message.prefix = "a prefix longer than a short string";
    message.content = row[1].bytes;
    encoder.encode(message);
    encoder.finish({});
  };
  all_operations();
  all_operations();  // buffers have grown to what the largest event needs

  const std::size_t before = allocations;
  for (int round = 0; round < 100; ++round) all_operations();
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace pgcourier::sinks::encoding
