/**
 * Ends one command of an SSH connection with everything it started. Input: a line with the number of older commands with the same
 * line that still run, and one with the line that its shell was given (base64 of UTF-8). The commands of a connection have one
 * sshd process as their parent, and this text's shell is one of them. Output: `gone` where there is no such command (any more),
 * `unknown` where no sshd is above, otherwise `left` and the ids of what is still there.
 */
export const endTreeScript = `$ErrorActionPreference='Stop'
$ProgressPreference='SilentlyContinue'
$in=[Console]::In
$older=[int]$in.ReadLine()
function plain($t) { "$t" -replace '["\\\\]','' }
$line=plain ([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($in.ReadLine())))
function table { @(Get-CimInstance Win32_Process) }
$all=table
$by=@{}
foreach ($p in $all) { $by[[int]$p.ProcessId]=$p }
$own=$null
$p=$by[[int]$PID]
while ($p -and $p.Name -notlike 'sshd*') { $own=$p; $p=$by[[int]$p.ParentProcessId] }
if (-not $p) { 'unknown'; exit 0 }
$found=@($all | Where-Object { $_.ParentProcessId -eq $p.ProcessId -and $_.ProcessId -ne $own.ProcessId -and (plain $_.CommandLine).Contains($line) } | Sort-Object CreationDate)
if ($found.Length -le $older) { 'gone'; exit 0 }
$root=$found[$older]
$tree=@($root)
for ($i=0; $i -lt $tree.Length; $i++) { $tree+=@($all | Where-Object { $_.ParentProcessId -eq $tree[$i].ProcessId -and $_.CreationDate -ge $tree[$i].CreationDate }) }
& taskkill.exe /PID $root.ProcessId /T /F 2>&1 | Out-Null
foreach ($p in $tree) { Stop-Process -Id $p.ProcessId -Force -ErrorAction SilentlyContinue }
$left=@()
for ($i=0; $i -lt 15; $i++) {
  $now=table
  $left=@($tree | Where-Object { $t=$_; $now | Where-Object { $_.ProcessId -eq $t.ProcessId -and $_.CreationDate -eq $t.CreationDate } })
  if ($left.Length -eq 0) { break }
  Start-Sleep -Milliseconds 200
}
('left '+(($left | ForEach-Object { $_.ProcessId }) -join ' ')).Trim()
exit 0`;
