// What WireWriter writes after the manual, the reader of the message gives back, whatever it is;
// and what our encoders write, WireReader finds in the manual's order.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "protocol/backend_messages.hpp"
#include "protocol/base_backup_messages.hpp"
#include "protocol/frontend_messages.hpp"
#include "protocol/message_framer.hpp"
#include "protocol/pgoutput_decoder.hpp"
#include "protocol/query_messages.hpp"
#include "protocol/replication_messages.hpp"
#include "protocol/wire_writer.hpp"

namespace pgcourier::protocol {
namespace {

using Nullable = rc::Maybe<std::string>;

// A String of §55.6: any bytes but zero.
std::string any_text() { return *rc::gen::container<std::string>(rc::gen::nonZero<char>()); }

template <typename Write>
std::string written(Write write) {
  std::string out;
  WireWriter writer(out);
  write(writer);
  return out;
}

void write_value(WireWriter& out, const Nullable& value) {
  if (!value) return out.i32(-1);
  out.u32(static_cast<std::uint32_t>(value->size()));
  out.bytes(*value);
}

bool same(const std::optional<ByteView>& read, const Nullable& value) {
  return read ? value && *read == *value : !value;
}

TEST(MessageProperties, DataRowAndFunctionCallResponse) {
  EXPECT_TRUE(rc::check([](const std::vector<Nullable>& row) {
    const auto body = written([&](WireWriter& out) {
      out.u16(static_cast<std::uint16_t>(row.size()));
      for (const auto& value : row) write_value(out, value);
    });
    std::vector<std::optional<ByteView>> values;
    read_data_row(body, values);
    RC_ASSERT(values.size() == row.size());
    for (std::size_t i = 0; i < row.size(); ++i) {
      RC_ASSERT(same(values[i], row[i]));
      const auto result = written([&](WireWriter& out) { write_value(out, row[i]); });
      RC_ASSERT(same(read_function_call_response(result).value, row[i]));
    }
  }));
}

TEST(MessageProperties, RowDescription) {
  EXPECT_TRUE(rc::check([](std::uint32_t table, std::uint16_t column, std::uint32_t type,
                           std::int16_t size, std::int32_t modifier, bool binary) {
    const auto name = any_text();
    const auto body = written([&](WireWriter& out) {
      out.u16(1);
      out.c_string(name);
      out.u32(table);
      out.u16(column);
      out.u32(type);
      out.u16(static_cast<std::uint16_t>(size));
      out.i32(modifier);
      out.u16(binary ? 1 : 0);
    });
    const auto message = read_row_description(body);
    RC_ASSERT(message.fields.size() == 1u);
    const auto& field = message.fields[0];
    RC_ASSERT(field.name == name);
    RC_ASSERT(field.table_oid == table);
    RC_ASSERT(field.column_number == column);
    RC_ASSERT(field.type_oid == type);
    RC_ASSERT(field.type_size == size);
    RC_ASSERT(field.type_modifier == modifier);
    RC_ASSERT((field.format == FormatCode::binary) == binary);
  }));
}

TEST(MessageProperties, ParameterDescriptionAndCopyResponse) {
  EXPECT_TRUE(rc::check([](const std::vector<std::uint32_t>& oids, bool binary) {
    const auto count = static_cast<std::uint16_t>(oids.size());
    const auto description = written([&](WireWriter& out) {
      out.u16(count);
      for (const auto oid : oids) out.u32(oid);
    });
    RC_ASSERT(read_parameter_description(description).type_oids == oids);
    const auto copy = written([&](WireWriter& out) {
      out.u8(binary ? 1 : 0);
      out.u16(count);
      for (const auto oid : oids) out.u16(oid % 2);
    });
    const auto response = read_copy_response(copy);
    RC_ASSERT((response.format == FormatCode::binary) == binary);
    RC_ASSERT(response.column_formats.size() == oids.size());
    for (std::size_t i = 0; i < oids.size(); ++i) {
      RC_ASSERT(static_cast<std::uint32_t>(response.column_formats[i]) == oids[i] % 2);
    }
  }));
}

TEST(MessageProperties, SessionMessages) {
  EXPECT_TRUE(rc::check([](std::int32_t process, std::uint32_t version) {
    const auto key = *rc::gen::resize(200, rc::gen::arbitrary<std::string>());
    const auto name = any_text();
    const auto value = any_text();
    const auto pair = written([&](WireWriter& out) {
      out.c_string(name);
      out.c_string(value);
    });
    const auto status = read_parameter_status(pair);
    RC_ASSERT(status.parameter == name);
    RC_ASSERT(status.value == value);
    const auto number = written([&](WireWriter& out) { out.i32(process); });
    const std::string told = number + pair;
    const auto notification = read_notification_response(told);
    RC_ASSERT(notification.process_id == process);
    RC_ASSERT(notification.channel == name);
    RC_ASSERT(notification.payload == value);
    const std::string keyed = number + "four" + key;
    const auto data = read_backend_key_data(keyed);
    RC_ASSERT(data.process_id == process);
    RC_ASSERT(data.cancel_key == "four" + key);
    const auto negotiation = written([&](WireWriter& out) {
      out.u32(version);
      out.u32(2);
      out.bytes(pair);
    });
    const auto negotiated = read_negotiate_protocol_version(negotiation);
    RC_ASSERT(negotiated.newest_version == version);
    RC_ASSERT(negotiated.unrecognized_options == (std::vector<ByteView>{name, value}));
  }));
}

TEST(MessageProperties, FieldsOfErrors) {
  EXPECT_TRUE(rc::check([](std::vector<std::uint8_t> codes) {
    codes.resize(std::min<std::size_t>(codes.size(), 64));
    const auto text = any_text();
    std::vector<std::pair<char, std::string>> unknown;
    const auto body = written([&](WireWriter& out) {
      out.u8('M');
      out.c_string(text);
      for (const auto number : codes) {
        const char code = "abekyz"[number % 6];  // of no field there is
        out.u8(static_cast<std::uint8_t>(code));
        out.c_string(text);
        unknown.emplace_back(code, text);
      }
      out.u8(0);
    });
    const auto fields = read_server_fields(body);
    RC_ASSERT(fields.message == text);
    RC_ASSERT(fields.other == unknown);
  }));
}

TEST(MessageProperties, ReplicationMessages) {
  EXPECT_TRUE(rc::check([](std::uint64_t start, std::uint64_t end, std::int64_t time, bool reply,
                           const std::string& payload) {
    const auto xlog_data = written([&](WireWriter& out) {
      out.u8('w');
      out.lsn(Lsn{start});
      out.lsn(Lsn{end});
      out.time(PgTime{time});
      out.bytes(payload);
    });
    const auto data = read_xlog_data(xlog_data);
    RC_ASSERT(data.start == Lsn{start});
    RC_ASSERT(data.end == Lsn{end});
    RC_ASSERT(data.server_time == PgTime{time});
    RC_ASSERT(data.payload == payload);
    const auto keepalive = written([&](WireWriter& out) {
      out.u8('k');
      out.lsn(Lsn{end});
      out.time(PgTime{time});
      out.u8(reply ? 1 : 0);
    });
    const auto alive = read_primary_keepalive(keepalive);
    RC_ASSERT(alive.end == Lsn{end});
    RC_ASSERT(alive.server_time == PgTime{time});
    RC_ASSERT(alive.reply_requested == reply);
    const auto progress = written([&](WireWriter& out) {
      out.u8('p');
      out.u64(end);
    });
    RC_ASSERT(std::get<BackupProgress>(read_backup_message(progress)).bytes_done == end);
  }));
}

TEST(MessageProperties, HotStandbyFeedback) {
  EXPECT_TRUE(rc::check([](std::int64_t time, std::uint32_t xmin, std::uint32_t xmin_epoch,
                           std::uint32_t catalog_xmin, std::uint32_t catalog_xmin_epoch) {
    const auto bytes = hot_standby_feedback({.client_time = PgTime{time},
                                             .xmin = xmin,
                                             .xmin_epoch = xmin_epoch,
                                             .catalog_xmin = catalog_xmin,
                                             .catalog_xmin_epoch = catalog_xmin_epoch});
    WireReader in(bytes);
    RC_ASSERT(in.u8() == 'h');
    RC_ASSERT(in.time() == PgTime{time});
    RC_ASSERT(in.u32() == xmin);
    RC_ASSERT(in.u32() == xmin_epoch);
    RC_ASSERT(in.u32() == catalog_xmin);
    RC_ASSERT(in.u32() == catalog_xmin_epoch);
    in.finish("hot standby feedback");
  }));
}

TEST(MessageProperties, TuplesOfPgoutput) {
  EXPECT_TRUE(rc::check([](std::uint32_t oid, const std::vector<Nullable>& row, bool binary) {
    const auto payload = written([&](WireWriter& out) {
      out.u8('I');
      out.u32(oid);
      out.u8('N');
      out.u16(static_cast<std::uint16_t>(row.size()));
      for (const auto& value : row) {
        out.u8(!value ? 'n' : binary ? 'b' : 't');
        if (value) write_value(out, value);
      }
    });
    PgoutputDecoder decoder;
    const auto insert = std::get<Insert>(decoder.decode(payload));
    RC_ASSERT(insert.relation_oid == oid);
    RC_ASSERT(insert.new_row.size() == row.size());
    for (std::size_t i = 0; i < row.size(); ++i) {
      const auto& column = insert.new_row[i];
      RC_ASSERT((column.kind == ValueKind::null) == !row[i]);
      if (row[i]) RC_ASSERT(column.bytes == *row[i]);
      if (row[i]) RC_ASSERT((column.kind == ValueKind::binary) == binary);
    }
  }));
}

TEST(MessageProperties, BindAndFunctionCall) {
  EXPECT_TRUE(rc::check([](std::uint32_t oid, const std::vector<Nullable>& given, bool binary) {
    const auto format = binary ? FormatCode::binary : FormatCode::text;
    const auto portal = any_text();
    const auto statement = any_text();
    std::vector<BindParameter> parameters;
    for (const auto& value : given) {
      parameters.push_back(
          {.value = value ? std::optional<ByteView>(*value) : std::nullopt, .format = format});
    }
    const auto expect_values = [&](WireReader& in) {
      RC_ASSERT(in.u16() == given.size());
      for (std::size_t i = 0; i < given.size(); ++i) RC_ASSERT(in.u16() == (binary ? 1u : 0u));
      RC_ASSERT(in.u16() == given.size());
      for (const auto& value : given) {
        const std::int32_t length = in.i32();
        RC_ASSERT(length == (value ? static_cast<std::int32_t>(value->size()) : -1));
        if (value) RC_ASSERT(in.bytes(value->size()) == *value);
      }
    };
    std::string out;
    append_bind(out, portal, statement, parameters, format);
    const std::size_t bind_size = out.size();
    append_function_call(out, oid, parameters, format);

    const auto bind = frame_message(out, out.size() + 1).message;
    RC_ASSERT(bind && bind->type == 'B' && bind->size == bind_size);
    WireReader in(bind->body);
    RC_ASSERT(in.c_string() == portal);
    RC_ASSERT(in.c_string() == statement);
    expect_values(in);
    RC_ASSERT(in.u16() == 1u);
    RC_ASSERT(in.u16() == (binary ? 1u : 0u));
    in.finish("Bind");

    const auto call = frame_message(std::string_view(out).substr(bind_size), out.size()).message;
    RC_ASSERT(call && call->type == 'F');
    WireReader arguments(call->body);
    RC_ASSERT(arguments.u32() == oid);
    expect_values(arguments);
    RC_ASSERT(arguments.u16() == (binary ? 1u : 0u));
    arguments.finish("FunctionCall");
  }));
}

TEST(MessageProperties, ParseAndStartUp) {
  EXPECT_TRUE(rc::check([](const std::vector<std::uint32_t>& oids, std::uint32_t version) {
    const auto statement = any_text();
    const auto sql = any_text();
    std::string out;
    append_parse(out, statement, sql, oids);
    const auto parse = frame_message(out, out.size() + 1).message;
    RC_ASSERT(parse && parse->type == 'P' && parse->size == out.size());
    WireReader in(parse->body);
    RC_ASSERT(in.c_string() == statement);
    RC_ASSERT(in.c_string() == sql);
    RC_ASSERT(in.u16() == oids.size());
    for (const auto oid : oids) RC_ASSERT(in.u32() == oid);
    in.finish("Parse");

    const std::vector<StartupParameter> parameters = {{"user", sql}, {'n' + statement, sql}};
    std::string start_up;
    append_startup_message(start_up, version, parameters);
    WireReader begin(start_up);
    RC_ASSERT(begin.u32() == start_up.size());
    RC_ASSERT(begin.u32() == version);
    for (const auto& [name, value] : parameters) {
      RC_ASSERT(begin.c_string() == name);
      RC_ASSERT(begin.c_string() == value);
    }
    RC_ASSERT(begin.u8() == 0u);
    begin.finish("StartupMessage");
  }));
}

}  // namespace
}  // namespace pgcourier::protocol
