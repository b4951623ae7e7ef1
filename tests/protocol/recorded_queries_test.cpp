// Whole dialogues of real servers after start-up: each reply in its place, and what was asked as
// our encoders write it.
#include <gtest/gtest.h>

#include <set>

#include "protocol/base_backup_dialogue.hpp"
#include "protocol/query_dialogue.hpp"
#include "protocol/replication_commands.hpp"
#include "protocol/replication_results.hpp"
#include "protocol/timeline_history.hpp"
#include "tests/protocol/recorded.hpp"

namespace pgcourier::protocol {
namespace {

constexpr std::string_view backend_types = "RKSvZAENTDCI123ntsGHWdcV";

std::optional<Request> request_of(const FramedMessage& message) {
  switch (message.type) {
    case 'Q':
      return Request::query;
    case 'P':
      return Request::parse;
    case 'B':
      return Request::bind;
    case 'D':
      return message.body[0] == 'S' ? Request::describe_statement : Request::describe_portal;
    case 'E':
      return Request::execute;
    case 'C':
      return Request::close;
    case 'S':
      return Request::sync;
    case 'F':
      return Request::function_call;
    default:
      return std::nullopt;
  }
}

bool is_asynchronous(char type) { return type == 'N' || type == 'S' || type == 'A'; }

// No type but those of §55.7 is an answer, wherever the dialogue stands.
void expect_no_other_types(const QueryDialogue& dialogue, const FramedMessage& message) {
  for (int byte = 0; byte < 256; ++byte) {
    const char type = static_cast<char>(byte);
    if (backend_types.find(type) != std::string_view::npos) continue;
    QueryDialogue copy = dialogue;
    EXPECT_THROW(copy.on_message({.type = type, .body = message.body, .size = message.size}),
                 ProtocolError)
        << byte;
  }
}

template <typename OnReply>
void replay(const std::string& recording, OnReply on_reply) {
  SCOPED_TRACE(recording);
  QueryDialogue dialogue;
  for (const auto& message : tests::recorded(recording)) {
    const auto frame = tests::framed(message);
    if (!message.from_server) {
      if (const auto request = request_of(frame)) dialogue.asked({&*request, 1});
      if (frame.type == 'c' || frame.type == 'f') dialogue.copy_ended();
    } else if (!is_asynchronous(frame.type)) {
      expect_no_other_types(dialogue, frame);
      on_reply(dialogue.on_message(frame));
    }
  }
  EXPECT_TRUE(dialogue.idle());
  EXPECT_FALSE(dialogue.needs_sync());
}

class RecordedDialogue : public testing::TestWithParam<int> {
 protected:
  static std::string of_major(std::string_view name) { return tests::of_major(name, GetParam()); }
};

TEST_P(RecordedDialogue, IsAnsweredAsQueryDialogueExpects) {
  std::set<std::size_t> kinds;
  for (const auto* name : {"queries", "physical", "pgoutput", "base_backup"}) {
    replay(of_major(name), [&](const Reply& reply) { kinds.insert(reply.index()); });
  }
  EXPECT_EQ(kinds.size(), std::variant_size_v<Reply>) << "a kind of reply is not recorded";
}

TEST_P(RecordedDialogue, GivesABaseBackup) {
  BaseBackupDialogue backup(GetParam() * 10'000, true);
  std::vector<std::string> archives;
  replay(of_major("base_backup"), [&](const Reply& reply) {
    if (std::holds_alternative<ReadyForQuery>(reply)) return;
    const auto message = backup.on_reply(reply);
    const auto* archive = message ? std::get_if<NewArchive>(&*message) : nullptr;
    if (archive != nullptr) archives.emplace_back(archive->name);
  });
  EXPECT_TRUE(backup.complete());
  ASSERT_EQ(archives.size(), 2u);
  EXPECT_EQ(archives[0], std::to_string(backup.info().tablespaces[0].oid) + ".tar");
  EXPECT_EQ(archives[1], "base.tar");
  EXPECT_GE(backup.info().end.lsn, backup.info().start.lsn);
}

TEST_P(RecordedDialogue, TellsOfTheTimelines) {
  std::optional<TimelineHistoryFile> file;
  TimelinePosition next;
  std::vector<std::string> errors;
  const auto recording = of_major("timeline_history");
  EXPECT_EQ(tests::framed(tests::recorded(recording).front()).body,
            timeline_history(2) + std::string(1, '\0'));
  replay(recording, [&](const Reply& reply) {
    if (const auto* row = std::get_if<DataRow>(&reply)) {
      if (file) {
        next = read_next_timeline(row->values);
      } else {
        file = read_timeline_history_file(row->values);
      }
    } else if (const auto* error = std::get_if<ErrorResponse>(&reply)) {
      errors.push_back(error->fields.sqlstate);
    }
  });
  EXPECT_EQ(errors, std::vector<std::string>{"58P01"});  // of a time line that never was
  ASSERT_TRUE(file);
  EXPECT_EQ(file->filename, "00000002.history");
  const auto history = read_timeline_history(file->content);
  ASSERT_EQ(history.size(), 1u);
  EXPECT_EQ(history[0].timeline, 1u);
  EXPECT_EQ(next.timeline, 2u);
  EXPECT_EQ(next.lsn, history[0].switch_lsn);
}

TEST_P(RecordedDialogue, IsOverWithAFatalError) {
  QueryDialogue dialogue;
  const Request query = Request::query;
  dialogue.asked({&query, 1});
  std::optional<ServerFields> last;
  for (const auto& message : tests::recorded(of_major("terminated"))) {
    if (!message.from_server) continue;
    const Reply reply = dialogue.on_message(tests::framed(message));
    if (const auto* error = std::get_if<ErrorResponse>(&reply)) last = error->fields;
  }
  ASSERT_TRUE(last);
  EXPECT_EQ(last->severity_unlocalized, "FATAL");
  EXPECT_EQ(last->sqlstate, "57P01");
  EXPECT_TRUE(dialogue.idle());  // nothing follows
}

// As Bind and FunctionCall have them; our encoders write a format for each.
std::vector<BindParameter> read_values(WireReader& in) {
  std::vector<BindParameter> values(in.u16());
  for (auto& value : values) value.format = static_cast<FormatCode>(in.u16());
  EXPECT_EQ(in.u16(), values.size());
  for (auto& value : values) {
    const std::int32_t length = in.i32();
    if (length >= 0) value.value = in.bytes(static_cast<std::size_t>(length));
  }
  return values;
}

void append_again(std::string& out, const FramedMessage& message) {
  WireReader in(message.body);
  const auto target_and_name = [&](auto append) {
    const auto target = static_cast<DescribeTarget>(in.u8());
    append(out, target, in.c_string());
  };
  switch (message.type) {
    case 'Q':
      append_query(out, in.c_string());
      break;
    case 'P': {
      const auto statement = in.c_string();
      const auto sql = in.c_string();
      std::vector<std::uint32_t> oids(in.u16());
      for (auto& oid : oids) oid = in.u32();
      append_parse(out, statement, sql, oids);
      break;
    }
    case 'B': {
      const auto portal = in.c_string();
      const auto statement = in.c_string();
      const auto values = read_values(in);
      EXPECT_EQ(in.u16(), 1u);
      append_bind(out, portal, statement, values, static_cast<FormatCode>(in.u16()));
      break;
    }
    case 'D':
      target_and_name(append_describe);
      break;
    case 'C':
      target_and_name(append_close);
      break;
    case 'E': {
      const auto portal = in.c_string();
      append_execute(out, portal, in.u32());
      break;
    }
    case 'F': {
      const std::uint32_t oid = in.u32();
      const auto arguments = read_values(in);
      append_function_call(out, oid, arguments, static_cast<FormatCode>(in.u16()));
      break;
    }
    case 'S':
      append_sync(out);
      break;
    case 'H':
      append_flush(out);
      break;
    case 'd':
      append_copy_data(out, in.rest());
      break;
    case 'c':
      append_copy_done(out);
      break;
    case 'f':
      append_copy_fail(out, in.c_string());
      break;
    case 'X':
      append_terminate(out);
      break;
    default:
      FAIL() << message.type;
  }
  in.finish("a recorded message of the client");
}

// The recorder frames its messages itself, and the server took them.
TEST_P(RecordedDialogue, IsAskedAsOurEncodersWrite) {
  std::set<char> seen;
  for (const auto& message : tests::recorded(of_major("queries"))) {
    if (message.from_server) continue;
    const auto frame = tests::framed(message);
    seen.insert(frame.type);
    std::string again;
    append_again(again, frame);
    EXPECT_EQ(again, message.bytes) << frame.type;
  }
  EXPECT_EQ(std::string(seen.begin(), seen.end()), "BCDEFHPQSXcdf");
}

INSTANTIATE_TEST_SUITE_P(Majors, RecordedDialogue, testing::ValuesIn(tests::recorded_majors));

using RecordedManifest = RecordedDialogue;

TEST_P(RecordedManifest, IsTakenForAnIncrementalBackup) {
  const auto recording = of_major("upload_manifest");
  EXPECT_EQ(tests::framed(tests::recorded(recording).front()).body,
            upload_manifest(GetParam() * 10'000) + std::string(1, '\0'));
  std::vector<std::string> errors, tags;
  BaseBackupDialogue backup(GetParam() * 10'000, true);
  int commands = 0;
  replay(recording, [&](const Reply& reply) {
    if (const auto* error = std::get_if<ErrorResponse>(&reply)) {
      errors.push_back(error->fields.sqlstate);
    } else if (const auto* complete = std::get_if<CommandComplete>(&reply)) {
      tags.emplace_back(complete->tag);
    }
    if (std::holds_alternative<ReadyForQuery>(reply)) {
      ++commands;
    } else if (commands == 2) {
      backup.on_reply(reply);
    }
  });
  EXPECT_EQ(errors, std::vector<std::string>{"XX000"});  // of a manifest that is not JSON
  ASSERT_FALSE(tags.empty());
  EXPECT_EQ(tags.front(), "UPLOAD_MANIFEST");
  EXPECT_TRUE(backup.complete());
}

INSTANTIATE_TEST_SUITE_P(Majors, RecordedManifest, testing::Values(17, 18));

}  // namespace
}  // namespace pgcourier::protocol
