// Everything a client says, §55.7. Each function appends one whole message to `out`, so that
// several can be sent together. Texts with a zero byte in them throw std::invalid_argument.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/query_messages.hpp"
#include "protocol/wire_reader.hpp"

namespace pgcourier::protocol {

// Start-up. `version`: major << 16 | minor; name and value of each parameter.
using StartupParameter = std::pair<std::string, std::string>;
void append_startup_message(std::string& out, std::uint32_t version,
                            std::span<const StartupParameter> parameters);
void append_ssl_request(std::string& out);
void append_gss_enc_request(std::string& out);
void append_cancel_request(std::string& out, std::int32_t process_id, ByteView cancel_key);

// Authentication.
void append_password_message(std::string& out, std::string_view password);
void append_sasl_initial_response(std::string& out, std::string_view mechanism, ByteView data);
void append_sasl_response(std::string& out, ByteView data);
void append_gss_response(std::string& out, ByteView token);

// Simple query.
void append_query(std::string& out, std::string_view sql);

// Extended query.
void append_parse(std::string& out, std::string_view statement, std::string_view sql,
                  std::span<const std::uint32_t> parameter_type_oids = {});

struct BindParameter {
  std::optional<ByteView> value;  // empty: NULL
  FormatCode format = FormatCode::text;
};
// `result_format` holds for all columns.
void append_bind(std::string& out, std::string_view portal, std::string_view statement,
                 std::span<const BindParameter> parameters,
                 FormatCode result_format = FormatCode::text);

enum class DescribeTarget : char { statement = 'S', portal = 'P' };
void append_describe(std::string& out, DescribeTarget target, std::string_view name);
void append_close(std::string& out, DescribeTarget target, std::string_view name);
// At most `max_rows`, then PortalSuspended; 0: all.
void append_execute(std::string& out, std::string_view portal, std::uint32_t max_rows = 0);
void append_sync(std::string& out);
void append_flush(std::string& out);

// Function call, §55.2.5. `arguments` in any format, NULL too.
void append_function_call(std::string& out, std::uint32_t function_oid,
                          std::span<const BindParameter> arguments, FormatCode result_format);

// COPY.
void append_copy_data(std::string& out, ByteView data);
void append_copy_done(std::string& out);
void append_copy_fail(std::string& out, std::string_view reason);

void append_terminate(std::string& out);

}  // namespace pgcourier::protocol
