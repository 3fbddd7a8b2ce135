{{- define "adapter-host.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "adapter-host.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "adapter-host.labels" -}}
{{ include "adapter-host.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "adapter-host.image" -}}
{{- $repository := required "set image.repository to an image built from docs/deploy/Containerfile" .Values.image.repository -}}
{{- if .Values.image.digest }}{{ $repository }}@{{ .Values.image.digest }}{{ else }}{{ $repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "adapter-host.account" -}}
{{- .Values.serviceAccount.name | default (include "adapter-host.name" .) }}
{{- end }}

{{- /* The scheme of probes, after the other keys. */ -}}
{{- define "adapter-host.scheme" -}}
{{- if .Values.tls.secret }}, scheme: HTTPS{{ end }}
{{- end }}

{{- /* Fails unless exactly one source of capabilities is set. */ -}}
{{- define "adapter-host.check" -}}
{{- $sources := 0 }}
{{- if .Values.capabilities.files }}{{ $sources = add1 $sources }}{{ end }}
{{- if .Values.capabilities.configMap }}{{ $sources = add1 $sources }}{{ end }}
{{- if .Values.capabilities.claim }}{{ $sources = add1 $sources }}{{ end }}
{{- if and .Values.tls.clients (not .Values.tls.secret) }}{{ fail "tls.clients needs tls.secret" }}{{ end }}
{{- if ne (int $sources) 1 }}{{ fail "set exactly one of capabilities.files, capabilities.configMap and capabilities.claim" }}{{ end }}
{{- end }}

{{- /* The port number of an exposer by its name. */ -}}
{{- define "adapter-host.port" -}}
{{- $found := "" }}
{{- range .root.Values.ports }}{{ if eq .name $.name }}{{ $found = .port }}{{ end }}{{ end }}
{{- if not $found }}{{ fail (printf "no entry of ports is named '%s'" .name) }}{{ end }}
{{- $found }}
{{- end }}
