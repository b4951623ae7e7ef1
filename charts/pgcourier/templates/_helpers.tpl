{{- define "pgcourier.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "pgcourier.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "pgcourier.labels" -}}
{{ include "pgcourier.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "pgcourier.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "pgcourier.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "pgcourier.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "pgcourier.port" -}}
{{- regexFind "[0-9]+$" .Values.config.http.listen -}}
{{- end -}}

{{- define "pgcourier.claimName" -}}
{{- default (printf "%s-data" (include "pgcourier.fullname" .)) .Values.persistence.existingClaim -}}
{{- end -}}

{{/* shutdown_timeout in whole seconds, rounded up, and 10 s more. */}}
{{- define "pgcourier.gracePeriod" -}}
{{- $timeout := .Values.config.shutdown_timeout | toString -}}
{{- $number := regexFind "^[0-9]+" $timeout | int64 -}}
{{- $milliseconds := dict "" 0 "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 -}}
{{- $unit := regexFind "[a-z]*$" $timeout -}}
{{- add 10 (div (add 999 (mul $number (get $milliseconds $unit))) 1000) -}}
{{- end -}}
